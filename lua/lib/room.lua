-- room: the truth about one room, in one slot. See service/store/keys.py for the keys.
--@include lib/states

-- The room's head, or nil when there is none. A deleted room leaves its head behind for a day: `deleted` is then true.
local function load_head(key)
    local have = redis.call(
        "HMGET", key, "seq", "ord", "rev", "born", "status", "derived", "size", "floor", "floor_seq", "dead", "top_hole", "tags"
    )
    if not have[3] then
        return nil
    end
    return {
        key = key,
        seq = tonumber(have[1]), -- newest message
        ord = tonumber(have[2]), -- its ordinal
        rev = tonumber(have[3]), -- revision: hybrid clock, microseconds
        born = tonumber(have[4]), -- revision at which the room was created
        active = have[5] == "1",
        deleted = have[5] == "-1",
        derived = have[6] == "1",
        size = tonumber(have[7]), -- members
        floor = tonumber(have[8]), -- ordinals up to here were deleted together
        floor_seq = tonumber(have[9]), -- and so were the messages up to this seq
        dead = tonumber(have[10]), -- messages deleted one by one above floor_seq
        top_hole = tonumber(have[11]), -- highest hole, 0 without any
        tags = have[12], -- canonical tag set
    }
end

-- The room, or nil when it does not exist or was deleted.
local function load_room(key)
    local room = load_head(key)
    if room and not room.deleted then
        return room
    end
    return nil
end

local function refuse_room()
    return redis.error_reply("ROOM_UNKNOWN no such room")
end

local function refuse_message()
    return redis.error_reply("MESSAGE_UNKNOWN no such message in this room")
end

-- A new revision: above the last one and never behind the server's clock, so that a room that a failover set back
-- does not repeat stamps that its members have seen.
local function raise_revision(room, at_least)
    local time = redis.call("TIME")
    local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
    room.rev = math.max(room.rev + 1, now, at_least or 0)
end

local function revision_ms(room)
    return math.floor(room.rev / 1000)
end

-- Unread for a cursor that stands at ordinal `ord`.
local function unread_after(room, ord)
    local from = math.max(ord, room.floor)
    local unread = room.ord - from
    if room.top_hole > from then
        unread = unread - redis.call("ZCOUNT", room.key .. ":h", string.format("(%.0f", from), room.ord)
    end
    return unread
end

-- A member's record: cursor (seq), its ordinal, and the seq last really read (0: never; joining is not reading).
local function pack_member(cursor, ord, read)
    return cmsgpack.pack(cursor, ord, read)
end

-- cursor, ordinal, read of a member; nil for a stranger.
local function load_member(room, member)
    local packed = redis.call("HGET", room.key .. ":p", member)
    if not packed then
        return nil
    end
    return cmsgpack.unpack(packed)
end

local function save_member(room, member, cursor, ord, read)
    redis.call("HSET", room.key .. ":p", member, pack_member(cursor, ord, read))
    redis.call("ZADD", room.key .. ":c", cursor, member)
end

-- What is known of a message: seq, ordinal, and the kind. Kind is a sum of:
local COUNTABLE = 1
local DELETED = 2
local RECALLED = 4

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

-- Whether a message of this seq and kind is still there for its readers.
local function is_deleted(room, seq, kind)
    return seq <= room.floor_seq or kind % (2 * DELETED) >= DELETED
end

-- The id of the message at `seq`, or false when it is no longer remembered.
local function message_at(room, seq)
    local entry = redis.call("XRANGE", room.key .. ":l", string.format("%.0f", seq), string.format("%.0f", seq), "COUNT", 1)[1]
    return entry and entry[2][2] or false
end
