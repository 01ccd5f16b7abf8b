-- copies: how the user's side is stored: a copy for each room, and what is counted over all.
--@include lib/keys
--@include lib/states

local COPY_LAYOUT = ">I7I5I5BI6" -- behind it the tag set

-- A copy: revision, cursor, unread, state, the version at which it last changed visibly, tag set.
-- Unread and tags of a derived one are what the user was last told, and are counted nowhere.
local function read_copy(packed)
    local revision, cursor, unread, state, changed_at, behind = struct.unpack(COPY_LAYOUT, packed)
    return revision, cursor, unread, state, changed_at, string.sub(packed, behind)
end

local function pack_copy(revision, cursor, unread, state, changed_at, tags)
    return struct.pack(COPY_LAYOUT, revision, cursor, unread, state, changed_at) .. tags
end

-- The room whose copy a field of the user's hash holds; nil for any other field.
local function room_of_field(field)
    return string.sub(field, 1, 1) == COPY_OF and string.sub(field, 2) or nil
end

local SUMS_LAYOUT = ">I6I6BI3I6"
local SUMS_BYTES = 22

-- The user's version, their total unread, 1 when there are rooms with news and 0 when not, how many
-- derived rooms they are in, and the version up to which changes are forgotten.
local function read_sums(packed)
    if not packed then
        return 0, 0, 0, 0, 0
    elseif #packed < SUMS_BYTES then
        return struct.unpack(SUMS_LAYOUT, packed .. "\0\0\0\0\0\0") -- of layout 1
    end
    return struct.unpack(SUMS_LAYOUT, packed)
end

local function pack_sums(version, total, news, derived, forgotten)
    return struct.pack(SUMS_LAYOUT, version, total, news, derived, forgotten)
end

local function load_sums(key)
    return read_sums(redis.call("HGET", key, SUMS))
end
