-- room: the head of a room. See service/readstate/store/keys.py for the keys.
--@include lib/keys
--@include lib/holes
--@include lib/layouts

local ROOM_UNKNOWN = "ROOM_UNKNOWN no such room"
local MESSAGE_UNKNOWN = "MESSAGE_UNKNOWN no such message in this room"
local NOT_MEMBER = "NOT_MEMBER not a member of this room"
-- Head and members are one hash: a read finds and leaves both with one command each. The
-- fields that every read writes anew have a fixed layout: it takes a third of the time of msgpack.
local HEAD_LAYOUT = ">BI7I7I5I5I4I5I5c21BBc0" -- behind it the tag set
local REST_LAYOUT = ">I5I5I5I3I3" -- of the 21 bytes
local HEAD_BEGINS = 130 -- 128 and the number of the layout; the first byte of layout 1 is below 128
local FROZEN_FLAG = 1
local DELETED_FLAG = 2
local DERIVED_FLAG = 4
local BY_CLIENT_FLAG = 8
local LARGE_FLAG = 16
local RECORDED_FLAG = 32

-- Fields that no read needs are unpacked when one of them is first asked for or set:
--   floor_seq      the messages up to this seq were deleted together
--   deleted_count  places above floor_seq without a message: deleted one by one, or left out
--   oldest         seq of the oldest message that is remembered, behind the head without any
--   buckets        of the index of message ids (lib/messages.lua)
--   term           of the server that gave out the last place (lib/terms.lua); 0: not known
local function open_rest(room)
    local rest = rawget(room, "rest")
    if rest then
        rawset(room, "rest", false)
        local floor_seq, deleted_count, oldest, buckets, term = struct.unpack(REST_LAYOUT, rest)
        rawset(room, "floor_seq", floor_seq)
        rawset(room, "deleted_count", deleted_count)
        rawset(room, "oldest", oldest)
        rawset(room, "buckets", buckets)
        rawset(room, "term", term)
    end
end

local OPENING = {
    __index = function(room, name)
        open_rest(room)
        return rawget(room, name)
    end,
    __newindex = function(room, name, value)
        open_rest(room)
        rawset(room, name, value)
    end,
} -- kept

local function read_head(key, packed)
    if not packed then
        return nil
    end
    if string.byte(packed) ~= HEAD_BEGINS then
        refuse_layout(key, packed)
    end
    local _, revision, created, seq, ordinal, member_count, floor, top_hole, rest, flags, newest, behind =
        struct.unpack(HEAD_LAYOUT, packed)
    return setmetatable({
        key = key,
        newest = newest, -- message, "" before the first
        seq = seq, -- its place
        ordinal = ordinal, -- and ordinal
        revision = revision, -- hybrid clock, microseconds
        created_revision = created,
        active = flags % 2 == 0, -- false: frozen
        deleted = flags % 4 >= DELETED_FLAG,
        derived = flags % 8 >= DERIVED_FLAG, -- above the fan-out limit: the members' copies count nothing
        large = flags % 32 >= LARGE_FLAG, -- has indexes of its members (lib/order.lua, lib/attention.lua)
        by_client = flags % 16 >= BY_CLIENT_FLAG, -- made by a client: a backend that makes this room takes it over
        recorded = flags >= RECORDED_FLAG, -- notices are kept for those who have just joined (lib/notices.lua)
        member_count = member_count,
        floor = floor, -- ordinals up to here were deleted together
        top_hole = top_hole, -- highest hole, 0 without any
        rest = rest,
        tags = string.sub(packed, behind), -- canonical tag set
    }, OPENING)
end

local function pack_head(room)
    local flags = (room.active and 0 or FROZEN_FLAG) + (room.deleted and DELETED_FLAG or 0)
        + (room.derived and DERIVED_FLAG or 0) + (room.by_client and BY_CLIENT_FLAG or 0)
        + (room.large and LARGE_FLAG or 0) + (room.recorded and RECORDED_FLAG or 0)
    local rest = room.rest
        or struct.pack(REST_LAYOUT, room.floor_seq, room.deleted_count, room.oldest, room.buckets, room.term)
    return struct.pack(
        HEAD_LAYOUT, HEAD_BEGINS, room.revision, room.created_revision, room.seq, room.ordinal, room.member_count,
        room.floor, room.top_hole, rest, flags, #room.newest, room.newest
    ) .. room.tags
end

-- The head of a room that is not there, which is as one that was deleted.
local function new_head(key)
    local rest = struct.pack(REST_LAYOUT, 0, 0, 1, 0, 0)
    return read_head(key, struct.pack(HEAD_LAYOUT, HEAD_BEGINS, 0, 0, 0, 0, 0, 0, 0, rest, DELETED_FLAG, 0, ""))
end

-- The room's head, or nil when there is none. Of a deleted room, `deleted` is true.
local function load_head(key)
    return read_head(key, redis.call("HGET", key, HEAD))
end

-- The same, and the record of one member for read_record. "" is no member: that field is the head.
local function load_head_and_record(key, member)
    local have = redis.call("HMGET", key, HEAD, member)
    return read_head(key, have[1]), member ~= HEAD and have[2]
end

local function save_head(room)
    redis.call("HSET", room.key, HEAD, pack_head(room))
end

-- Whether the room was made otherwise than the caller has seen it: "1" by a client, "0" not by one,
-- "" either way. A backend may have taken the room over meanwhile.
local function made_otherwise(room, seen)
    return seen ~= "" and (seen == "1") ~= room.by_client
end

-- The room, or nil when there is none, it is deleted, or (with `made`) it was made otherwise.
local function existing_room(key, made)
    local room = load_head(key)
    if room and not room.deleted and not (made and made_otherwise(room, made)) then
        return room
    end
end

-- A new revision: above the last one, and never behind the server's clock: a room that a failover
-- set back must not repeat stamps.
local function raise_revision(room, at_least)
    local time = redis.call("TIME")
    room.revision = math.max(room.revision + 1, time[1] * 1000000 + time[2], at_least or 0)
end

-- Unread for a cursor that stands at `ordinal`. Never below 0, whatever is stored.
local function unread_after(room, ordinal)
    local from = math.max(ordinal, room.floor)
    local holes = room.top_hole > from and count_holes(room, from, room.ordinal) or 0
    return math.max(room.ordinal - from - holes, 0)
end

-- The clock of a room's records: milliseconds since its creation. Differences of whole
-- milliseconds, so that it is Unix time again when that of the creation is added.
local function room_clock(room)
    return math.floor(room.revision / 1000) - math.floor(room.created_revision / 1000)
end

local function created_ms_of(room)
    return math.floor(room.created_revision / 1000)
end
