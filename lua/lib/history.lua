-- history: the bounded memory of a room's messages. Bodies are never kept.
--@include lib/room
--@include lib/forgetting
--@include lib/order
--@include lib/stays

local LOWEST = "\31" -- field of :u: the lowest ordinal that any count was set to by hand, or from

-- 24 lower-case hex that rise as strings within the room: seconds, seven digits that tell rooms apart, position.
local function make_message_id(room, at_ms)
    local message = string.format("%08x%s%09x", math.floor(at_ms / 1000), string.sub(redis.sha1hex(room.key), 1, 7), room.seq)
    if load_message(room, message) then
        -- The backend has used this very string for a message of its own.
        return string.sub(redis.sha1hex(message), 1, 24)
    end
    return message
end

-- Remember the message at the head. `joined`: where its sender had joined, -1 for one who is no member.
local function remember(room, message, sender, at_ms, countable, joined)
    save_message(room, message, room.seq, room.ord, countable * COUNTABLE)
    redis.call("HSET", room.key .. ":l", room.seq, cmsgpack.pack(message, sender, at_ms, joined))
end

-- The ordinal before the oldest message that is remembered: no count that is set by hand goes further back.
local function ord_before_history(room)
    local oldest = message_at(room, room.seq - redis.call("HLEN", room.key .. ":l") + 1)
    if not oldest then
        return room.ord
    end
    local _, ord, kind = load_message(room, oldest)
    return ord - kind % 2
end

-- Forget the messages beyond the newest `history`, whatever only receipts of them needed, and the holes before them that every member has passed;
-- in lumps, which is cheaper.
local function trim_history(room, history)
    local log = room.key .. ":l"
    local kept = redis.call("HLEN", log)
    local oldest = room.seq - kept + 1
    local forgotten = math.min(kept - history, 1000)
    if forgotten > 0 then
        local seqs, messages = {}, {}
        for seq = oldest, oldest + forgotten - 1 do
            seqs[#seqs + 1] = seq
            messages[#messages + 1] = (message_at(room, seq))
        end
        redis.call("HDEL", room.key .. ":i", unpack(messages))
        redis.call("HDEL", log, unpack(seqs))
        redis.call("HDEL", room.key .. ":q", unpack(seqs))
        if room.dead > 0 then
            forget_up_to(room.key .. ":d", oldest + forgotten - 1)
        end
        forget_stays(room, oldest + forgotten)
    end
    local last = room.top_hole > 0 and redis.call("ZRANGE", order_of(room), 0, 0)[1]
    if last then
        local _, ord = load_member(room, last)
        -- A count that was set by hand may reach further back than any cursor, or else be the last one's and say nothing of the others.
        local lowest = tonumber(redis.call("HGET", room.key .. ":u", LOWEST) or ord)
        forget_up_to(room.key .. ":h", math.max(room.floor, math.min(ord, lowest, ord_before_history(room))))
    end
end

-- The newest message that is not hidden (lib/hidden.lua): { id, seq, sender, at_ms }, or {}.
local function last_message(room)
    local seq = room.seq
    while seq > room.floor_seq do
        local message, sender, at_ms, _, row = message_at(room, seq)
        if not row then
            return message and { message, seq, sender, at_ms } or {}
        end
        seq = math.min(row, seq) - 1
    end
    return {}
end

-- The place of the first message that stays when those before a time are deleted: the oldest one that
-- was not sent before `before_ms`, or the place behind the newest. Of forgotten messages no time is
-- known: they go when the oldest remembered one goes.
-- Looks at `most` messages; when there are more, answers the place behind these, and true.
local function first_since(room, before_ms, most)
    local log = room.key .. ":l"
    local oldest = math.max(room.seq - redis.call("HLEN", log), room.floor_seq) + 1
    local beyond = math.min(room.seq + 1, oldest + most)
    for from = oldest, beyond - 1, 1000 do
        local seqs = {}
        for seq = from, math.min(from + 999, beyond - 1) do
            seqs[#seqs + 1] = seq
        end
        for i, packed in ipairs(redis.call("HMGET", log, unpack(seqs))) do
            local _, _, at_ms = cmsgpack.unpack(packed)
            if at_ms >= before_ms then
                return seqs[i] > oldest and seqs[i] or room.floor_seq + 1, false
            end
        end
    end
    return beyond, beyond <= room.seq
end

-- Time of the message from which a member has marked the room as unread, 0 without a mark; `marked` is of their record.
local function marked_since(room, member, marked)
    if marked == 0 then
        return 0
    end
    local _, _, at_ms = message_at(room, redis.call("HGET", room.key .. ":u", member))
    return at_ms or 0
end
