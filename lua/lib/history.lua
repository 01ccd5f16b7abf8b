-- history: the bounded memory of a room's messages. Bodies are never kept.
--@include lib/room
--@include lib/messages
--@include lib/order
--@include lib/set_counts
--@include lib/stays

local TRIMMED_AT_ONCE = 1000 -- messages

-- 24 lower-case hex that rise as strings within the room: seconds, seven digits that tell rooms
-- apart, position.
local function make_message_id(room, at_ms)
    local room_digits = string.sub(redis.sha1hex(room.key), 1, 7)
    local message = string.format("%08x%s%09x", math.floor(at_ms / 1000), room_digits, room.seq)
    if load_message(room, message) then
        -- The backend has used this very string for a message of its own.
        return string.sub(redis.sha1hex(message), 1, 24)
    end
    return message
end

-- Remember the message at the head. `joined`: where its sender had joined, -1 unless a member.
local function remember(room, message, sender, at_ms, countable, joined)
    save_message(room, message, room.seq, room.ordinal, countable * COUNTABLE)
    log_message(room, room.seq, message, sender, at_ms, joined)
end

-- seq of the oldest message that is remembered; behind the head when there is none.
local function oldest_seq(room)
    return room.seq - redis.call("HLEN", room.key .. MESSAGE_LOG) + 1
end

-- The ordinal before the oldest message that is remembered: no count that is set by hand goes
-- further back.
local function ordinal_before_history(room)
    local oldest = message_at(room, oldest_seq(room))
    if not oldest then
        return room.ordinal
    end
    local _, ordinal, kind = load_message(room, oldest)
    return ordinal - kind % 2
end

-- Forget `count` messages from seq `oldest` on, with what only receipts of them needed.
local function forget_messages(room, oldest, count)
    local seqs, messages = {}, {}
    for seq = oldest, oldest + count - 1 do
        seqs[#seqs + 1] = seq
        messages[#messages + 1] = (message_at(room, seq))
    end
    redis.call("HDEL", room.key .. MESSAGE_PLACES, unpack(messages))
    redis.call("HDEL", room.key .. MESSAGE_LOG, unpack(seqs))
    redis.call("HDEL", room.key .. ACKNOWLEDGEMENTS, unpack(seqs))
    if room.deleted_count > 0 then
        forget_up_to(room.key .. DELETED_SEQS, oldest + count - 1)
    end
    forget_stays(room, oldest + count)
end

-- Forget the messages beyond the newest `history`, and the holes before them that every member has
-- passed; many at a time, which is cheaper.
local function trim_history(room, history)
    local oldest = oldest_seq(room)
    local forgotten = math.min(room.seq - oldest + 1 - history, TRIMMED_AT_ONCE)
    if forgotten > 0 then
        forget_messages(room, oldest, forgotten)
    end
    local last = room.top_hole > 0 and redis.call("ZRANGE", order_of(room), 0, 0)[1]
    if last then
        local _, ordinal = load_counts(room, last)
        -- A count that was set by hand may reach further back than any cursor, or else be the last
        -- one's and say nothing of the others.
        local lowest = lowest_set_count(room) or ordinal
        trim_holes(room, math.max(room.floor, math.min(ordinal, lowest, ordinal_before_history(room))))
    end
end

-- The place of the first message that stays when those before a time are deleted: the oldest one
-- that was not sent before `before_ms`, or the place behind the newest. Of forgotten messages no
-- time is known: they go when the oldest remembered one goes.
-- Looks at `most` messages; when there are more, returns the place behind these, and true.
local function first_since(room, before_ms, most)
    local oldest = math.max(oldest_seq(room), room.floor_seq + 1)
    local beyond = math.min(room.seq + 1, oldest + most)
    for from = oldest, beyond - 1, 1000 do
        local seqs = {}
        for seq = from, math.min(from + 999, beyond - 1) do
            seqs[#seqs + 1] = seq
        end
        for i, packed in ipairs(redis.call("HMGET", room.key .. MESSAGE_LOG, unpack(seqs))) do
            local _, _, at_ms = cmsgpack.unpack(packed)
            if at_ms >= before_ms then
                return seqs[i] > oldest and seqs[i] or room.floor_seq + 1, false
            end
        end
    end
    return beyond, beyond <= room.seq
end
