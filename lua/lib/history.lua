-- history: the bounded memory of a room's messages. Bodies are never kept.
--@include lib/room

local TRIM_EVERY = 64 -- posts; trimming is cheaper in lumps

-- 24 lower-case hex that rise as strings within the room: seconds, seven digits that tell rooms apart, position.
local function make_message_id(room, at_ms)
    local message = string.format("%08x%s%09x", math.floor(at_ms / 1000), string.sub(redis.sha1hex(room.key), 1, 7), room.seq)
    if load_message(room, message) then
        -- The backend has used this very string for a message of its own.
        return redis.sha1hex(message):sub(1, 24)
    end
    return message
end

-- Remember the message at the head. The log's entry ids are "<seq>-<ordinal>".
local function remember(room, message, sender, at_ms, countable)
    save_message(room, message, room.seq, room.ord, countable * COUNTABLE)
    redis.call("XADD", room.key .. ":l", string.format("%.0f-%.0f", room.seq, room.ord), "i", message, "s", sender, "t", at_ms)
end

-- Who sent the message at `seq`, and when. Only for a message that is remembered.
local function message_entry(room, seq)
    local at = string.format("%.0f", seq)
    local entry = redis.call("XRANGE", room.key .. ":l", at, at, "COUNT", 1)[1]
    return { sender = entry[2][4], at_ms = tonumber(entry[2][6]) }
end

-- Forget the messages beyond the newest `history`, and the holes that every member has passed.
local function trim_history(room, history)
    if room.seq % TRIM_EVERY ~= 0 then
        return
    end
    local log = room.key .. ":l"
    local excess = redis.call("XLEN", log) - history
    if excess > 0 then
        for _, entry in ipairs(redis.call("XRANGE", log, "-", "+", "COUNT", math.min(excess, 1000))) do
            redis.call("HDEL", room.key .. ":i", entry[2][2])
        end
        redis.call("XTRIM", log, "MAXLEN", redis.call("XLEN", log) - math.min(excess, 1000))
    end
    local last = redis.call("ZRANGE", room.key .. ":c", 0, 0)[1]
    if room.top_hole > 0 and last then
        local _, ord = load_member(room, last)
        redis.call("ZREMRANGEBYSCORE", room.key .. ":h", "-inf", ord)
    end
end

-- The newest message that is still there: { id, seq, sender, at_ms }, or nil.
local function last_message(room)
    local before = "+"
    while true do
        local entries = redis.call("XREVRANGE", room.key .. ":l", before, "-", "COUNT", 16)
        for _, entry in ipairs(entries) do
            local seq = tonumber(string.match(entry[1], "^%d+"))
            local _, _, kind = load_message(room, entry[2][2])
            if seq <= room.floor_seq then
                return nil
            end
            if not is_deleted(room, seq, kind) then
                return { entry[2][2], seq, entry[2][4], tonumber(entry[2][6]) }
            end
            before = "(" .. entry[1]
        end
        if #entries < 16 then
            return nil
        end
    end
end
