-- message_log: a room's messages in chunks. A chunk is one string, the field of MESSAGE_LOG named
-- by its number, for LOG_CHUNK places (seqs) in a row:
--
--   header    base ordinal I5, base time (Unix ms) I6, places P so far B
--   ends      P times I2: where the entry of each place ends, counted from the first entry; a place
--             without a message ends where the one before it does
--   entries   in order of their seqs:
--               kind (lib/messages.lua) + flags + 16 * form of the id (lib/packed_ids.lua) B
--               ordinal - base ordinal B   less than LOG_CHUNK, as an ordinal needs a seq
--               where its sender begins among the senders I2
--               Unix ms - base time + TIME_SHIFT I4
--               with flag ROW_NOTED: seq at the other end of its row (lib/hidden.lua) I5
--               with flag FAR_TIME: Unix ms I6   when it does not fit above, which is 0 then
--               id, to the end
--
-- The senders of SENDERS_CHUNK places in a row are a string too, the field "s" and its number: each
-- pair of a sender and where they had joined once, as joined + 1 (0: was no member) I5, bytes B, id.
-- A post reads and writes few bytes so, and a sender of many messages is written down once.
--
-- All numbers are big-endian. The log holds the messages from room.oldest on and no other.
--@include lib/keys
--@include lib/packed_ids

local LOG_CHUNK = 16 -- messages
local SENDERS_CHUNK = 128
local ROW_NOTED = 8
local FAR_TIME = 64
local TIME_SHIFT = 2147483648
local CHUNK_HEADER = ">I5I6B"
local HEADER_BYTES = 12
local LOGGED_LAYOUT = ">BBI2I4"
local LOGGED_BYTES = 8 -- without row, far time and id
local SENDER_LAYOUT = ">I5Bc0"

local function chunk_of(seq)
    return math.floor((seq - 1) / LOG_CHUNK)
end

local function load_log_chunk(room, number)
    return redis.call("HGET", room.key .. MESSAGE_LOG, number)
end

local function save_log_chunk(room, number, chunk)
    redis.call("HSET", room.key .. MESSAGE_LOG, number, chunk)
end

local function senders_of(seq)
    return "s" .. math.floor((seq - 1) / SENDERS_CHUNK)
end

-- Where this pair stands among the senders of `seq`; it is added when it is new.
local function note_sender(room, seq, sender, joined)
    local pair = struct.pack(SENDER_LAYOUT, joined + 1, #sender, sender)
    local senders = redis.call("HGET", room.key .. MESSAGE_LOG, senders_of(seq)) or ""
    -- Wherever these bytes are found, they are read as this pair.
    local found = string.find(senders, pair, 1, true)
    if found then
        return found - 1
    end
    redis.call("HSET", room.key .. MESSAGE_LOG, senders_of(seq), senders .. pair)
    return #senders
end

-- Where the entry of `seq` begins and ends in its chunk, and the ordinal and the time that those of
-- the chunk count from; nil when there is none.
local function find_entry(chunk, seq)
    local place = (seq - 1) % LOG_CHUNK
    local base, base_ms, places = struct.unpack(CHUNK_HEADER, chunk)
    if place >= places then
        return nil
    end
    local from, to = 0, 0
    if place == 0 then
        to = struct.unpack(">I2", chunk, HEADER_BYTES + 1)
    else
        from, to = struct.unpack(">I2I2", chunk, HEADER_BYTES + 2 * place - 1)
    end
    if from == to then
        return nil
    end
    local before = HEADER_BYTES + 2 * places
    return before + from + 1, before + to, base, base_ms
end

-- Kind, row or nil, and where the time, when it is far, or else the id begins, of the entry that
-- begins at `from`.
local function read_flags(chunk, from)
    local flags = string.byte(chunk, from)
    local row, behind = nil, from + LOGGED_BYTES
    if flags % (2 * ROW_NOTED) >= ROW_NOTED then
        row, behind = struct.unpack(">I5", chunk, behind)
    end
    return flags % ROW_NOTED, row, behind, flags
end

-- Form and bytes of the id at `seq`, as they are stored; nil when there is no message.
local function packed_at(chunk, seq)
    local from, to = find_entry(chunk, seq)
    if from then
        local _, _, at, flags = read_flags(chunk, from)
        at = flags >= FAR_TIME and at + 6 or at
        return math.floor(flags % FAR_TIME / 16), string.sub(chunk, at, to)
    end
end

-- Unix ms of the entry that begins at `from`.
local function time_at(chunk, from, base_ms)
    local flags, _, _, above_ms = struct.unpack(LOGGED_LAYOUT, chunk, from)
    if flags >= FAR_TIME then
        local _, _, at = read_flags(chunk, from)
        return (struct.unpack(">I6", chunk, at))
    end
    return base_ms + above_ms - TIME_SHIFT
end

-- id, sender, Unix ms, where the sender had joined (-1: was no member), row or nil, ordinal and
-- kind of the message at `seq` in its chunk; nil when there is none.
local function read_entry(room, chunk, seq)
    local from, _, base, base_ms = find_entry(chunk, seq)
    if not from then
        return nil
    end
    local _, above, sender_at = struct.unpack(LOGGED_LAYOUT, chunk, from)
    local kind, row = read_flags(chunk, from)
    local senders = redis.call("HGET", room.key .. MESSAGE_LOG, senders_of(seq))
    local joined, sender = struct.unpack(SENDER_LAYOUT, senders, sender_at + 1)
    return unpack_id(packed_at(chunk, seq)), sender, time_at(chunk, from, base_ms), joined - 1, row, base + above, kind
end

-- Ordinal and kind of the message at `seq`; nil when its id is not this packed one.
local function match_entry(chunk, seq, form, id)
    local found_form, found = packed_at(chunk, seq)
    if found == id and found_form == form then
        local from, _, base = find_entry(chunk, seq)
        return base + string.byte(chunk, from + 1), (read_flags(chunk, from))
    end
end

-- seq, ordinal and kind of the message with this packed id in the chunk of this number; nil when it
-- has no such message.
local function find_packed(chunk, number, form, id)
    local _, _, places = struct.unpack(CHUNK_HEADER, chunk)
    local before = HEADER_BYTES + 2 * places
    local at = string.find(chunk, id, before + 1, true)
    while at do
        -- The first place that ends with these bytes or later.
        local to = at + #id - 1 - before
        local low, high = 0, places - 1
        while low < high do
            local middle = math.floor((low + high) / 2)
            if struct.unpack(">I2", chunk, HEADER_BYTES + 2 * middle + 1) >= to then
                high = middle
            else
                low = middle + 1
            end
        end
        local seq = number * LOG_CHUNK + low + 1
        local ordinal, kind = match_entry(chunk, seq, form, id)
        if ordinal then
            return seq, ordinal, kind
        end
        at = string.find(chunk, id, at + 1, true)
    end
end

-- The chunk, nil for none, with a message at `seq` behind all others of it.
local function append_entry(chunk, seq, ordinal, kind, form, id, sender_at, at_ms)
    local base, base_ms, places, ends, entries = ordinal, at_ms, 0, "", ""
    if chunk then
        base, base_ms, places = struct.unpack(CHUNK_HEADER, chunk)
        local before = HEADER_BYTES + 2 * places
        ends, entries = string.sub(chunk, HEADER_BYTES + 1, before), string.sub(chunk, before + 1)
    end
    local place = (seq - 1) % LOG_CHUNK
    if place > places then
        ends = ends .. string.rep(struct.pack(">I2", #entries), place - places)
    end
    local above_ms, far = at_ms - base_ms + TIME_SHIFT, ""
    if above_ms < 0 or above_ms >= 2 * TIME_SHIFT then
        above_ms, far = 0, struct.pack(">I6", at_ms)
        kind = kind + FAR_TIME
    end
    return struct.pack(CHUNK_HEADER, base, base_ms, place + 1)
        .. ends
        .. struct.pack(">I2", #entries + LOGGED_BYTES + #far + #id)
        .. entries
        .. struct.pack(LOGGED_LAYOUT, kind + 16 * form, ordinal - base, sender_at, above_ms)
        .. far
        .. id
end

-- The head of a chunk: `before`, and behind it the ends of places `first` and later, moved by `by`
-- bytes.
local function move_ends(chunk, before, first, by)
    local _, _, places = struct.unpack(CHUNK_HEADER, chunk)
    local ends = { before }
    for place = first, places - 1 do
        ends[#ends + 1] = struct.pack(">I2", struct.unpack(">I2", chunk, HEADER_BYTES + 2 * place + 1) + by)
    end
    return table.concat(ends)
end

-- The chunk with another kind, and row or nil, for the message at `seq`, which is there.
local function change_entry(chunk, seq, kind, row)
    local from = find_entry(chunk, seq)
    local _, _, places = struct.unpack(CHUNK_HEADER, chunk)
    local _, before, behind, flags = read_flags(chunk, from)
    local place, head_bytes = (seq - 1) % LOG_CHUNK, HEADER_BYTES + 2 * places
    local longer = (row and 5 or 0) - (before and 5 or 0)
    local head = move_ends(chunk, string.sub(chunk, 1, HEADER_BYTES + 2 * place), place, longer)
    return head
        .. string.sub(chunk, head_bytes + 1, from - 1)
        .. string.char(flags - flags % 16 + kind + (row and ROW_NOTED or 0))
        .. string.sub(chunk, from + 1, from + LOGGED_BYTES - 1)
        .. (row and struct.pack(">I5", row) or "")
        .. string.sub(chunk, behind)
end

-- The chunk without its entries before `seq`, which is not its first.
local function cut_entries(chunk, seq)
    local place = (seq - 1) % LOG_CHUNK
    local _, _, places = struct.unpack(CHUNK_HEADER, chunk)
    local cut = struct.unpack(">I2", chunk, HEADER_BYTES + 2 * place - 1)
    local none = string.sub(chunk, 1, HEADER_BYTES) .. string.rep("\0\0", place)
    return move_ends(chunk, none, place, 0 - cut) .. string.sub(chunk, HEADER_BYTES + 2 * places + cut + 1)
end

-- Forget the messages from seq `oldest` to the one before `kept`.
local function forget_log(room, oldest, kept)
    local fields, last = {}, chunk_of(kept)
    for number = chunk_of(oldest), last - 1 do
        fields[#fields + 1] = number
    end
    for seq = oldest, kept - SENDERS_CHUNK, SENDERS_CHUNK do
        fields[#fields + 1] = senders_of(seq)
    end
    if senders_of(kept) ~= senders_of(kept - 1) then
        fields[#fields + 1] = senders_of(kept - 1)
    end
    if #fields > 0 then
        redis.call("HDEL", room.key .. MESSAGE_LOG, unpack(fields))
    end
    local chunk = (kept - 1) % LOG_CHUNK > 0 and load_log_chunk(room, last)
    if chunk then
        save_log_chunk(room, last, cut_entries(chunk, kept))
    end
end

-- The places of a chunk that have a message: { seq, where its entry begins, ... }.
local function entries_of(chunk, number)
    local _, _, places = struct.unpack(CHUNK_HEADER, chunk)
    local found, from, before = {}, 0, HEADER_BYTES + 2 * places
    for place = 0, places - 1 do
        local to = struct.unpack(">I2", chunk, HEADER_BYTES + 2 * place + 1)
        if to > from then
            local count = #found
            found[count + 1], found[count + 2] = number * LOG_CHUNK + place + 1, before + from + 1
        end
        from = to
    end
    return found
end

-- What is remembered of the messages from seq `first` to `last`: { seq, kind, Unix ms, ... }.
local function read_times(room, first, last)
    local numbers, times = {}, {}
    for number = chunk_of(first), chunk_of(last) do
        numbers[#numbers + 1] = number
    end
    for i, chunk in ipairs(redis.call("HMGET", room.key .. MESSAGE_LOG, unpack(numbers))) do
        local entries = chunk and entries_of(chunk, numbers[i]) or {}
        local _, base_ms = struct.unpack(CHUNK_HEADER, chunk or string.rep("\0", HEADER_BYTES))
        for j = 1, #entries, 2 do
            local seq, from = entries[j], entries[j + 1]
            if seq >= first and seq <= last then
                local count = #times
                times[count + 1], times[count + 2] = seq, string.byte(chunk, from) % ROW_NOTED
                times[count + 3] = time_at(chunk, from, base_ms)
            end
        end
    end
    return times
end
