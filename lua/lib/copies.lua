-- copies: how the user's side is stored: a copy for each room, and what is counted over all.
--@include lib/keys
--@include lib/states

-- A copy is short while its numbers are low, else wide, as in layout 1. Behind it
-- stands the tag set. The first byte of a short one is 128 and the state, or 4 more when the
-- version is not the ms of the revision: then the difference stands in front of the tag set.
local SHORT_COPY = ">BI7I2I2"
local SHORT_COPY_APART = ">BI7I2I2i4"
local SHORT_COPY_BEGINS = 128
local APART = 4
local MOST_APART = 2147483647 -- ms
local LOW_BELOW = 65536
local WIDE_COPY = ">I7I5I5BI6"

-- A copy: revision, cursor, unread, state, the version at which it last changed visibly, tag set.
-- Unread and tags of a derived one are what the user was last told, and are counted nowhere.
local function read_copy(packed)
    local first, revision, cursor, unread, behind = struct.unpack(SHORT_COPY, packed)
    local state, changed_at = first - SHORT_COPY_BEGINS, math.floor(revision / 1000)
    if state >= APART then
        local apart
        apart, behind = struct.unpack(">i4", packed, behind)
        state, changed_at = state - APART, changed_at + apart
    elseif state < 0 then
        revision, cursor, unread, state, changed_at, behind = struct.unpack(WIDE_COPY, packed)
    end
    return revision, cursor, unread, state, changed_at, string.sub(packed, behind)
end

local function pack_copy(revision, cursor, unread, state, changed_at, tags)
    local apart = changed_at - math.floor(revision / 1000)
    if cursor >= LOW_BELOW or unread >= LOW_BELOW or apart > MOST_APART or apart < 0 - MOST_APART then
        return struct.pack(WIDE_COPY, revision, cursor, unread, state, changed_at) .. tags
    elseif apart == 0 then
        return struct.pack(SHORT_COPY, SHORT_COPY_BEGINS + state, revision, cursor, unread) .. tags
    end
    local begins = SHORT_COPY_BEGINS + APART + state
    return struct.pack(SHORT_COPY_APART, begins, revision, cursor, unread, apart) .. tags
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
