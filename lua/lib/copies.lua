-- copies: how the user's side is stored. Per room a copy, and beside them what is counted over all of them.
--@include lib/states

local COPY_LAYOUT = ">I7I5I5BI6" -- behind it the tag set

-- A copy: revision, cursor, unread, state, the version at which it last changed visibly, tag set.
local function read_copy(packed)
    local rev, cursor, unread, state, changed_at, behind = struct.unpack(COPY_LAYOUT, packed)
    return rev, cursor, unread, state, changed_at, string.sub(packed, behind)
end

local function pack_copy(rev, cursor, unread, state, changed_at, tags)
    return struct.pack(COPY_LAYOUT, rev, cursor, unread, state, changed_at) .. tags
end

local SUMS = "" -- their field; every other one begins with the letter of its kind
local SUMS_LAYOUT = ">I6I6I4"

-- The user's version, their total unread, and how many derived rooms they are in.
local function read_sums(packed)
    if not packed then
        return 0, 0, 0
    end
    return struct.unpack(SUMS_LAYOUT, packed)
end

local function pack_sums(version, total, derived)
    return struct.pack(SUMS_LAYOUT, version, total, derived)
end

local function load_sums(key)
    return read_sums(redis.call("HGET", key, SUMS))
end
