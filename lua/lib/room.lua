-- room: the truth about one room, in one slot. See service/store/keys.py for the keys.

local ROOM_UNKNOWN = "ROOM_UNKNOWN no such room"
local MESSAGE_UNKNOWN = "MESSAGE_UNKNOWN no such message in this room"
local NOT_MEMBER = "NOT_MEMBER not a member of this room"

local HEAD_KEPT_S = 24 * 3600 -- a deleted room's head, so that late news of it is recognised as old

-- The room's head, or nil when there is none. Of a deleted room, `deleted` is true.
local function load_head(key)
    local packed = redis.call("GET", key)
    if not packed then
        return nil
    end
    local seq, ord, rev, born, active, deleted, derived, size, floor, floor_seq, dead, top_hole, tags = cmsgpack.unpack(packed)
    return {
        key = key,
        seq = seq, -- newest message
        ord = ord, -- its ordinal
        rev = rev, -- revision: hybrid clock, microseconds
        born = born, -- revision at which the room was created
        active = active, -- false: frozen
        deleted = deleted,
        derived = derived, -- above the fan-out limit: the members' copies count nothing
        size = size, -- members
        floor = floor, -- ordinals up to here were deleted together
        floor_seq = floor_seq, -- and so were the messages up to this seq
        dead = dead, -- messages deleted one by one above floor_seq
        top_hole = top_hole, -- highest hole, 0 without any
        tags = tags, -- canonical tag set
    }
end

local function save_head(room)
    local packed = cmsgpack.pack(
        room.seq, room.ord, room.rev, room.born, room.active, room.deleted, room.derived, room.size,
        room.floor, room.floor_seq, room.dead, room.top_hole, room.tags
    )
    if room.deleted then
        redis.call("SET", room.key, packed, "EX", HEAD_KEPT_S)
    else
        redis.call("SET", room.key, packed)
    end
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
    local behind, cursor, ord, read, joined, at, moves, marked = cmsgpack.unpack_limit(packed, 7)
    return cursor, ord, read, joined, at, moves, marked, behind < 0 and "" or string.sub(packed, behind + 1)
end

local function load_member(room, member)
    return read_record(redis.call("HGET", room.key .. ":p", member))
end

local function is_member(room, member)
    return redis.call("HEXISTS", room.key .. ":p", member) == 1
end

local function save_member(room, member, cursor, ord, read, joined, at, moves, marked, tail)
    redis.call("HSET", room.key .. ":p", member, cmsgpack.pack(cursor, ord, read, joined, at, moves, marked) .. tail)
    redis.call("ZADD", room.key .. ":c", cursor, member)
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

local function save_message(room, message, seq, ord, kind)
    redis.call("HSET", room.key .. ":i", message, cmsgpack.pack(seq, ord, kind))
end

-- Whether a message of this seq and kind is no longer there for its readers.
local function is_deleted(room, seq, kind)
    return seq <= room.floor_seq or kind % (2 * DELETED) >= DELETED
end

-- id, sender, time in ms and where the sender had joined (-1: was no member) of the message at `seq`; nil when it is no longer remembered.
local function message_at(room, seq)
    local packed = redis.call("HGET", room.key .. ":l", seq)
    if not packed then
        return nil
    end
    return cmsgpack.unpack(packed)
end
