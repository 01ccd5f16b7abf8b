-- message_log: the log of a room's messages: its chunks (lib/log_chunks.lua) and their senders. It
-- holds the messages from room.oldest on and no other.
--@include lib/keys
--@include lib/log_changes
--@include lib/damaged

local SENDERS_CHUNK = 128 -- messages
local SENDER_LAYOUT = ">I5Bc0"

local function load_log_chunk(room, number)
    return redis.call("HGET", room.key .. MESSAGE_LOG, number)
end

local function save_log_chunk(room, number, chunk)
    redis.call("HSET", room.key .. MESSAGE_LOG, number, chunk)
end

local function senders_chunk_of(seq)
    return math.floor((seq - 1) / SENDERS_CHUNK)
end

local function senders_of(seq)
    return SENDERS_OF .. senders_chunk_of(seq)
end

-- Where this pair stands among some senders, and these with it when it is new.
local function add_sender(senders, sender, joined)
    local pair = struct.pack(SENDER_LAYOUT, joined + 1, #sender, sender)
    -- Wherever these bytes are found, they are read as this pair.
    local found = string.find(senders, pair, 1, true)
    if found then
        return found - 1, nil
    end
    return #senders, senders .. pair
end

-- A sender, and where they had joined + 1. Of a damaged one nothing is known.
local function read_sender(senders, at)
    local done, joined, sender = pcall(struct.unpack, SENDER_LAYOUT, senders or "", at + 1)
    if done then
        return sender, joined
    end
    return "", 0
end

local function parse_entry(chunk, seq, senders)
    local from, to, base, base_ms = find_entry(chunk, seq)
    if not from then
        return nil
    end
    local _, above, at = struct.unpack(LOGGED_LAYOUT, chunk, from)
    local kind, row = read_flags(chunk, from)
    local sender, joined = read_sender(senders, at)
    local message, at_ms = unpack_id(read_packed(chunk, from, to)), time_at(chunk, from, base_ms)
    return message, sender, at_ms, joined - 1, row, base + above, kind
end

-- id, sender, Unix ms, where the sender had joined (-1: was no member), row or nil, ordinal and
-- kind of the message at `seq` in its chunk; nil when there is none, or it is damaged.
local function read_entry(room, chunk, seq)
    return unless_damaged(pcall(parse_entry, chunk, seq, redis.call("HGET", room.key .. MESSAGE_LOG, senders_of(seq))))
end

-- Forget the messages from seq `oldest` to the one before `kept`.
local function forget_log(room, oldest, kept)
    local fields, last = {}, chunk_of(kept)
    for number = chunk_of(oldest), last - 1 do
        fields[#fields + 1] = number
    end
    for number = senders_chunk_of(oldest), senders_chunk_of(kept) - 1 do
        fields[#fields + 1] = SENDERS_OF .. number
    end
    if #fields > 0 then
        redis.call("HDEL", room.key .. MESSAGE_LOG, unpack(fields))
    end
    local chunk = (kept - 1) % LOG_CHUNK > 0 and load_log_chunk(room, last)
    if chunk then
        save_log_chunk(room, last, cut_entries(chunk, kept))
    end
end

-- What is remembered of the messages from seq `first` to `last`: { seq, kind, Unix ms, ... }.
local function read_times(room, first, last)
    local numbers, times = {}, {}
    for number = chunk_of(first), chunk_of(last) do
        numbers[#numbers + 1] = number
    end
    for i, chunk in ipairs(redis.call("HMGET", room.key .. MESSAGE_LOG, unpack(numbers))) do
        local _, base_ms, places = struct.unpack(CHUNK_HEADER, chunk or string.rep("\0", HEADER_BYTES))
        local before, from = HEADER_BYTES + 2 * places, 0
        for place = 0, places - 1 do
            local to = struct.unpack(">I2", chunk, HEADER_BYTES + 2 * place + 1)
            local seq = numbers[i] * LOG_CHUNK + place + 1
            if to > from and seq >= first and seq <= last then
                local count = #times
                times[count + 1], times[count + 2] = seq, string.byte(chunk, before + from + 1) % ROW_NOTED
                times[count + 3] = time_at(chunk, before + from + 1, base_ms)
            end
            from = to
        end
    end
    return times
end
