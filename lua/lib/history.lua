-- history: the bounded memory of a room's messages. Bodies are never kept.
--@include lib/room
--@include lib/messages
--@include lib/order
--@include lib/set_counts
--@include lib/stays
--@include lib/terms

local TRIMMED_AT_ONCE = 1000 -- messages
local READ_AT_ONCE = 1000

-- 24 lower-case hex that rise as strings within the room: seconds, seven digits that tell rooms
-- apart, position. Returns its locator in the index as well. It is that of room.seq.
local function make_message_id(room, at_ms)
    local room_digits = string.sub(redis.sha1hex(room.key), 1, 7)
    local message = string.format("%08x%s%09x", math.floor(at_ms / 1000), room_digits, room.seq)
    local locator = locator_of(room, message, room.seq)
    if find_message(room, locator) then
        -- The backend has used this very string for a message of its own.
        message = string.sub(redis.sha1hex(message), 1, 24)
        locator = locator_of(room, message, room.seq)
    end
    return message, locator
end

-- The ordinal before the oldest message that is remembered: no count that is set by hand goes
-- further back.
local function ordinal_before_history(room)
    for seq = room.oldest, room.seq do
        local message, _, _, _, _, ordinal, kind = message_at(room, seq)
        if message then
            return ordinal - kind % 2
        end
    end
    return room.ordinal
end

-- How many places from `seq` on were left out.
local function count_jumped(jumps, seq)
    local places = 0
    for i = 1, #jumps, 2 do
        places = places + math.max(jumps[i + 1] - math.max(jumps[i], seq) + 1, 0)
    end
    return places
end

-- Forget the jumps before seq `oldest`.
local function forget_jumps(room, jumps, oldest)
    local kept = {}
    for i = 1, #jumps, 2 do
        if jumps[i] >= oldest then
            kept[#kept + 1] = struct.pack(JUMP_LAYOUT, jumps[i], jumps[i + 1])
        end
    end
    if #kept == 0 then
        redis.call("HDEL", room.key .. MESSAGE_LOG, JUMPS)
    else
        redis.call("HSET", room.key .. MESSAGE_LOG, JUMPS, table.concat(kept))
    end
end

-- Forget `count` messages from the oldest on, or those before the first jump, with what only
-- receipts of them needed. The index forgets them by itself (lib/message_index.lua).
local function forget_messages(room, jumps, count)
    local seqs, oldest = {}, room.oldest + count
    local jump = jumps[1] or oldest + 1
    for seq = room.oldest, math.min(oldest, jump) - 1 do
        seqs[#seqs + 1] = seq
    end
    if jump <= oldest then
        oldest = jumps[2] + 1
        forget_jumps(room, jumps, oldest)
    end
    forget_log(room, room.oldest, oldest)
    redis.call("HDEL", room.key .. ACKNOWLEDGEMENTS, unpack(seqs))
    room.oldest = oldest
    if room.deleted_count > 0 then
        forget_up_to(room.key .. DELETED_SEQS, oldest - 1)
    end
    forget_stays(room, oldest)
end

-- Forget the messages beyond the newest `history`, and the holes before them that every member has
-- passed; many at a time, which is cheaper.
local function trim_history(room, history)
    local forgotten = room.seq - room.oldest + 1 - history
    local jumps = forgotten > 0 and load_jumps(room) or {}
    forgotten = math.min(forgotten - count_jumped(jumps, room.oldest), TRIMMED_AT_ONCE)
    if forgotten > 0 then
        forget_messages(room, jumps, forgotten)
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
    local oldest = math.max(room.oldest, room.floor_seq + 1)
    local beyond = math.min(room.seq + 1, oldest + most)
    for from = oldest, beyond - 1, READ_AT_ONCE do
        local times = read_times(room, from, math.min(from + READ_AT_ONCE, beyond) - 1)
        for i = 1, #times, 3 do
            if times[i + 2] >= before_ms then
                return times[i] > oldest and times[i] or room.floor_seq + 1, false
            end
        end
    end
    if beyond > room.seq then
        return beyond, false
    end
    local _, last = jump_over(room, beyond)
    return last and last + 1 or beyond, true
end
