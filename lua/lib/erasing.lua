-- erasing: one user's name in a room gives way to another one, and nothing else changes.
--@include lib/room
--@include lib/receipts
--@include lib/message_log

-- Name `new` takes the place of field `old` in a hash.
local function rename_field(key, old, new)
    local value = redis.call("HGET", key, old)
    if value then
        redis.call("HSET", key, new, value)
        redis.call("HDEL", key, old)
    end
end

-- The same of a member of a sorted set.
local function rename_in_order(key, old, new)
    local score = redis.call("ZSCORE", key, old)
    if score then
        redis.call("ZADD", key, score, new)
        redis.call("ZREM", key, old)
    end
end

-- Who acknowledged the message at `seq`.
local function rename_acknowledgement(room, seq, user, name)
    local entries = {}
    for i, entry in ipairs(acknowledgements(room, seq)) do
        entries[i] = cmsgpack.pack(entry.member == user and name or entry.member, entry.joined, entry.at)
    end
    if #entries > 0 then
        redis.call("HSET", room.key .. ACKNOWLEDGEMENTS, seq, table.concat(entries))
    end
end

-- Senders with `name` in the place of `user`, and where each of them begins now: old place -> new
-- one. Nil when they are damaged.
local function renamed_senders(senders, user, name)
    local parts, places, at, behind = {}, {}, 1, 0
    while at <= #senders do
        local done, joined, sender, next_at = pcall(struct.unpack, SENDER_LAYOUT, senders, at)
        if not done then
            return nil
        end
        local kept = sender == user and name or sender
        local part = struct.pack(SENDER_LAYOUT, joined, #kept, kept)
        places[at - 1], parts[#parts + 1] = behind, part
        at, behind = next_at, behind + #part
    end
    return table.concat(parts), places
end

local SENDER_PLACE = 2 -- bytes of an entry before it (LOGGED_LAYOUT)

-- A chunk of the log whose senders have new places.
local function chunk_with_places(chunk, number, places)
    for seq = number * LOG_CHUNK + 1, (number + 1) * LOG_CHUNK do
        local from = find_entry(chunk, seq)
        if from then
            local at = from + SENDER_PLACE
            local place = places[struct.unpack(">I2", chunk, at)]
            if place then
                chunk = string.sub(chunk, 1, at - 1) .. struct.pack(">I2", place) .. string.sub(chunk, at + 2)
            end
        end
    end
    return chunk
end

-- The senders of SENDERS_CHUNK messages, and these messages.
local function rename_sender(room, number, user, name)
    local log, field = room.key .. MESSAGE_LOG, SENDERS_OF .. number
    local senders, places = renamed_senders(redis.call("HGET", log, field) or "", user, name)
    if not senders then
        return
    end
    local write = { field, senders }
    local chunks = SENDERS_CHUNK / LOG_CHUNK
    for chunk_number = number * chunks, (number + 1) * chunks - 1 do
        local chunk = redis.call("HGET", log, chunk_number)
        local renamed = chunk and unless_damaged(pcall(chunk_with_places, chunk, chunk_number, places))
        if renamed then
            write[#write + 1], write[#write + 2] = chunk_number, renamed
        end
    end
    redis.call("HSET", log, unpack(write))
end
