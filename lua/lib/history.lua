-- history: the bounded memory of a room's messages. Bodies are never kept.
--@include lib/room

-- 24 lower-case hex that rise as strings within the room: seconds, seven digits that tell rooms apart, position.
local function make_message_id(room, at_ms)
    local message = string.format("%08x%s%09x", math.floor(at_ms / 1000), string.sub(redis.sha1hex(room.key), 1, 7), room.seq)
    if load_message(room, message) then
        -- The backend has used this very string for a message of its own.
        return string.sub(redis.sha1hex(message), 1, 24)
    end
    return message
end

-- Remember the message at the head.
local function remember(room, message, sender, at_ms, countable)
    save_message(room, message, room.seq, room.ord, countable * COUNTABLE)
    redis.call("HSET", room.key .. ":l", room.seq, cmsgpack.pack(message, sender, at_ms))
end

-- Forget the messages beyond the newest `history`, and the holes that every member has passed; in lumps, which is cheaper.
local function trim_history(room, history)
    local log = room.key .. ":l"
    local kept = redis.call("HLEN", log)
    local oldest = room.seq - kept + 1
    for seq = oldest, oldest + math.min(kept - history, 1000) - 1 do
        redis.call("HDEL", room.key .. ":i", (message_at(room, seq)))
        redis.call("HDEL", log, seq)
    end
    local last = redis.call("ZRANGE", room.key .. ":c", 0, 0)[1]
    if room.top_hole > 0 and last then
        local _, ord = load_member(room, last)
        redis.call("ZREMRANGEBYSCORE", room.key .. ":h", "-inf", ord)
    end
end

-- The newest message that is still there: { id, seq, sender, at_ms }, or {}.
local function last_message(room)
    for seq = room.seq, room.floor_seq + 1, -1 do
        local message, sender, at_ms = message_at(room, seq)
        if not message then
            return {}
        end
        local _, _, kind = load_message(room, message)
        if not is_deleted(room, seq, kind) then
            return { message, seq, sender, at_ms }
        end
    end
    return {}
end
