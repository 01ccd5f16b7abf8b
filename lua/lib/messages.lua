-- messages: what is remembered of a room's messages. Bodies are never kept.
--@include lib/keys

-- A message's kind is a sum of:
local COUNTABLE = 1
local DELETED = 2
local RECALLED = 4

-- seq, ordinal and kind of a message; nil when it is unknown.
local function load_message(room, message)
    local packed = redis.call("HGET", room.key .. MESSAGE_PLACES, message)
    if not packed then
        return nil
    end
    return cmsgpack.unpack(packed)
end

-- seq and ordinal of a message; nil when it is unknown. Most members read up to the newest one,
-- which needs no look.
local function place_of(room, message)
    if message == room.newest and message ~= "" then
        return room.seq, room.ordinal
    end
    return load_message(room, message)
end

local function save_message(room, message, seq, ordinal, kind)
    redis.call("HSET", room.key .. MESSAGE_PLACES, message, cmsgpack.pack(seq, ordinal, kind))
end

-- Whether a message of this seq and kind is no longer there for its readers.
local function is_deleted(room, seq, kind)
    return seq <= room.floor_seq or kind % (2 * DELETED) >= DELETED
end

-- id, sender, time in ms and where the sender had joined (-1: was no member) of the message at
-- `seq`, and of the first or last of a row of hidden ones (lib/hidden.lua) the seq at the row's
-- other end; nil when it is no longer remembered.
local function message_at(room, seq)
    local packed = redis.call("HGET", room.key .. MESSAGE_LOG, seq)
    if not packed then
        return nil
    end
    return cmsgpack.unpack(packed)
end

-- Write a message down at `seq`; `...` as message_at returns it.
local function log_message(room, seq, ...)
    redis.call("HSET", room.key .. MESSAGE_LOG, seq, cmsgpack.pack(...))
end
