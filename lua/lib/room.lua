-- room: the truth about one room, in one slot. See service/readstate/store/keys.py for the keys.

local ROOM_UNKNOWN = "ROOM_UNKNOWN no such room"
local MESSAGE_UNKNOWN = "MESSAGE_UNKNOWN no such message in this room"
local NOT_MEMBER = "NOT_MEMBER not a member of this room"

-- Head and members are one hash, so that a read finds and leaves both with one command each. What every read writes anew has a fixed
-- layout: it takes a third of the time of msgpack.
local HEAD = "" -- its field; no id is empty
local HEAD_LAYOUT = ">I7I7I5I5I4I5I5I5I5BBc0" -- behind it the tag set
local FROZEN_FLAG = 1
local DELETED_FLAG = 2
local DERIVED_FLAG = 4
local BY_CLIENT_FLAG = 8

local function read_head(key, packed)
    if not packed then
        return nil
    end
    local rev, born, seq, ord, size, floor, floor_seq, dead, top_hole, flags, newest, behind = struct.unpack(HEAD_LAYOUT, packed)
    return {
        key = key,
        newest = newest, -- message, "" before the first
        seq = seq, -- its place
        ord = ord, -- and ordinal
        rev = rev, -- revision: hybrid clock, microseconds
        born = born, -- revision at which the room was created
        active = flags % 2 == 0, -- false: frozen
        deleted = flags % 4 >= DELETED_FLAG,
        derived = flags % 8 >= DERIVED_FLAG, -- above the fan-out limit: the members' copies count nothing
        by_client = flags >= BY_CLIENT_FLAG, -- a client made it: a backend that makes a room of this id takes it over
        size = size, -- members
        floor = floor, -- ordinals up to here were deleted together
        floor_seq = floor_seq, -- and so were the messages up to this seq
        dead = dead, -- messages deleted one by one above floor_seq
        top_hole = top_hole, -- highest hole, 0 without any
        tags = string.sub(packed, behind), -- canonical tag set
    }
end

local function pack_head(room)
    local flags = (room.active and 0 or FROZEN_FLAG) + (room.deleted and DELETED_FLAG or 0) + (room.derived and DERIVED_FLAG or 0)
        + (room.by_client and BY_CLIENT_FLAG or 0)
    return struct.pack(
        HEAD_LAYOUT, room.rev, room.born, room.seq, room.ord, room.size, room.floor, room.floor_seq, room.dead, room.top_hole,
        flags, #room.newest, room.newest
    ) .. room.tags
end

-- The room's head, or nil when there is none. Of a deleted room, `deleted` is true.
local function load_head(key)
    return read_head(key, redis.call("HGET", key, HEAD))
end

-- The same, and the record of one member for read_record. Nobody, "", has none: that field is the head.
local function load_head_and_record(key, member)
    local have = redis.call("HMGET", key, HEAD, member)
    return read_head(key, have[1]), member ~= HEAD and have[2]
end

local function save_head(room)
    redis.call("HSET", room.key, HEAD, pack_head(room))
end

-- Whether the room was made otherwise than the caller has seen it: "1" by a client, "0" not by one,
-- "" either way. What a caller may do depends on it, and a backend may have taken the room over
-- meanwhile.
local function made_otherwise(room, seen)
    return seen ~= "" and (seen == "1") ~= room.by_client
end

-- A new revision: above the last one and never behind the server's clock, so that a room that a failover set back
-- does not repeat stamps that its members have seen.
local function raise_revision(room, at_least)
    local time = redis.call("TIME")
    room.rev = math.max(room.rev + 1, time[1] * 1000000 + time[2], at_least or 0)
end

-- Unread for a cursor that stands at ordinal `ord`.
local function unread_after(room, ord)
    local from = math.max(ord, room.floor)
    if room.top_hole > from then
        return room.ord - from - redis.call("ZCOUNT", room.key .. ":h", string.format("(%.0f", from), room.ord)
    end
    return room.ord - from
end

local RECORD_LAYOUT = ">I5I5I5I5I6I4B"
local COUNTS_LAYOUT = ">I5I5" -- of the first two

-- A member's record is one string: what follows, and behind it the newest moves of the journal (lib/journal.lua). Nil for a stranger.
-- Returns
--   cursor   seq
--   ord      ordinal after which unread is counted: the cursor's, unless the count was set otherwise
--   read     seq last really read, 0: never; joining is not reading
--   joined   seq at which they joined; what came before does not concern them
--   at       when the cursor last moved, joining included: milliseconds since the room was born
--   moves    how many moves their journal has had
--   marked   1 when they have marked the room as unread (:u)
--   tail     the journal's newest moves
local function read_record(packed)
    if not packed then
        return nil
    end
    local cursor, ord, read, joined, at, moves, marked, behind = struct.unpack(RECORD_LAYOUT, packed)
    return cursor, ord, read, joined, at, moves, marked, string.sub(packed, behind)
end

local function pack_record(cursor, ord, read, joined, at, moves, marked, tail)
    return struct.pack(RECORD_LAYOUT, cursor, ord, read, joined, at, moves, marked) .. tail
end

local function load_record(room, member)
    return member ~= HEAD and redis.call("HGET", room.key, member)
end

local function load_member(room, member)
    return read_record(load_record(room, member))
end

local function members_of(room)
    local members = {}
    for _, field in ipairs(redis.call("HKEYS", room.key)) do
        if field ~= HEAD then
            members[#members + 1] = field
        end
    end
    return members
end

-- Save a member, and the head of the room with them.
local function save_member(room, member, cursor, ord, read, joined, at, moves, marked, tail)
    local record = pack_record(cursor, ord, read, joined, at, moves, marked, tail)
    redis.call("HSET", room.key, HEAD, pack_head(room), member, record)
    if room.derived then
        redis.call("ZADD", room.key .. ":c", cursor, member)
    end
end

-- The clock of a room's records: milliseconds since its birth. Differences of whole milliseconds, so that it is Unix time again when
-- the birth's is added.
local function room_clock(room)
    return math.floor(room.rev / 1000) - math.floor(room.born / 1000)
end

-- A message's kind is a sum of:
local COUNTABLE = 1
local DELETED = 2
local RECALLED = 4

-- seq, ordinal and kind of a message; nil when it is unknown.
local function load_message(room, message)
    local packed = redis.call("HGET", room.key .. ":i", message)
    if not packed then
        return nil
    end
    return cmsgpack.unpack(packed)
end

-- seq and ordinal of a message; nil when it is unknown. Nearly everybody reads up to the newest one, which needs no look.
local function place_of(room, message)
    if message == room.newest and message ~= "" then
        return room.seq, room.ord
    end
    return load_message(room, message)
end

local function save_message(room, message, seq, ord, kind)
    redis.call("HSET", room.key .. ":i", message, cmsgpack.pack(seq, ord, kind))
end

-- Whether a message of this seq and kind is no longer there for its readers.
local function is_deleted(room, seq, kind)
    return seq <= room.floor_seq or kind % (2 * DELETED) >= DELETED
end

-- id, sender, time in ms and where the sender had joined (-1: was no member) of the message at `seq`, and of the first or last of a row
-- of deleted ones the seq at the row's other end; nil when it is no longer remembered.
local function message_at(room, seq)
    local packed = redis.call("HGET", room.key .. ":l", seq)
    if not packed then
        return nil
    end
    return cmsgpack.unpack(packed)
end
