-- message_log: a room's messages in chunks. A chunk is one string, the field of MESSAGE_LOG named
-- by its number, for LOG_CHUNK places (seqs) in a row:
--
--   header    base ordinal I5, places P so far B, bytes of the senders I2
--   ends      P times I2: where the entry of each place ends, counted from the first entry; a place
--             without a message ends where the one before it does
--   senders   each pair of them once: where they had joined + 1 (0: was no member) I5, bytes B, id
--   entries   in order of their seqs:
--               kind (lib/messages.lua) + ROW_NOTED + 16 * form of the id (lib/packed_ids.lua) B
--               ordinal - base ordinal B   less than LOG_CHUNK, as an ordinal needs a seq
--               where the pair of its sender begins among the senders I2
--               Unix ms I6
--               with ROW_NOTED: seq at the other end of its row (lib/hidden.lua) I5
--               id, to the end
--
-- All numbers are big-endian. The log holds the messages from room.oldest on and no other.
--@include lib/keys
--@include lib/packed_ids

local LOG_CHUNK = 32 -- messages
local ROW_NOTED = 8
local CHUNK_HEADER = ">I5BI2"
local HEADER_BYTES = 8
local LOGGED_LAYOUT = ">BBI2I6"
local LOGGED_BYTES = 10 -- without row and id
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

-- Where the entry of `seq` begins and ends in its chunk, the ordinal that those of the chunk count
-- from, and where its senders begin; nil when there is none.
local function find_entry(chunk, seq)
    local place = (seq - 1) % LOG_CHUNK
    local base, places, senders = struct.unpack(CHUNK_HEADER, chunk)
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
    local senders_at = HEADER_BYTES + 2 * places + 1
    return senders_at + senders + from, senders_at + senders + to - 1, base, senders_at
end

-- id, sender, Unix ms, where the sender had joined (-1: was no member), row or nil, ordinal and
-- kind of the message at `seq` in its chunk; nil when there is none.
local function read_entry(chunk, seq)
    local from, to, base, senders_at = find_entry(chunk, seq)
    if not from then
        return nil
    end
    local kind, above, sender_at, at_ms, id_at = struct.unpack(LOGGED_LAYOUT, chunk, from)
    local joined, sender = struct.unpack(SENDER_LAYOUT, chunk, senders_at + sender_at)
    local row
    if kind % (2 * ROW_NOTED) >= ROW_NOTED then
        row, id_at = struct.unpack(">I5", chunk, id_at)
    end
    local message = unpack_id(math.floor(kind / 16), string.sub(chunk, id_at, to))
    return message, sender, at_ms, joined - 1, row, base + above, kind % ROW_NOTED
end

-- The chunk, nil for none, with a message at `seq` behind all others of it.
local function append_entry(chunk, seq, ordinal, kind, message, sender, at_ms, joined)
    local base, places, ends, senders, entries = ordinal, 0, "", "", ""
    if chunk then
        local bytes
        base, places, bytes = struct.unpack(CHUNK_HEADER, chunk)
        local ends_to = HEADER_BYTES + 2 * places
        ends = string.sub(chunk, HEADER_BYTES + 1, ends_to)
        senders = string.sub(chunk, ends_to + 1, ends_to + bytes)
        entries = string.sub(chunk, ends_to + bytes + 1)
    end
    -- Wherever these bytes are found, they are read as this pair.
    local pair = struct.pack(SENDER_LAYOUT, joined + 1, #sender, sender)
    local found = string.find(senders, pair, 1, true)
    local sender_at = found and found - 1 or #senders
    if not found then
        senders = senders .. pair
    end
    local place = (seq - 1) % LOG_CHUNK
    if place > places then
        ends = ends .. string.rep(struct.pack(">I2", #entries), place - places)
    end
    local form, id = pack_id(message)
    return struct.pack(CHUNK_HEADER, base, place + 1, #senders)
        .. ends
        .. struct.pack(">I2", #entries + LOGGED_BYTES + #id)
        .. senders
        .. entries
        .. struct.pack(LOGGED_LAYOUT, kind + 16 * form, ordinal - base, sender_at, at_ms)
        .. id
end

-- The ends of places `first` and later moved by `by` bytes, those before it as `before` says.
local function move_ends(chunk, first, by, before)
    local _, places = struct.unpack(CHUNK_HEADER, chunk)
    local ends = { before }
    for place = first, places - 1 do
        ends[#ends + 1] = struct.pack(">I2", struct.unpack(">I2", chunk, HEADER_BYTES + 2 * place + 1) + by)
    end
    return table.concat(ends)
end

-- The chunk with another kind, and row or nil, for the message at `seq`, which is there.
local function change_entry(chunk, seq, kind, row)
    local from, to, _, senders_at = find_entry(chunk, seq)
    local old, id_at = string.byte(chunk, from), from + LOGGED_BYTES
    if old % (2 * ROW_NOTED) >= ROW_NOTED then
        id_at = id_at + 5
    end
    local entry = string.char(old - old % 16 + kind + (row and ROW_NOTED or 0))
        .. string.sub(chunk, from + 1, from + LOGGED_BYTES - 1)
        .. (row and struct.pack(">I5", row) or "")
        .. string.sub(chunk, id_at, to)
    local head, longer = string.sub(chunk, 1, senders_at - 1), #entry - (to - from + 1)
    if longer ~= 0 then
        local place = (seq - 1) % LOG_CHUNK
        head = move_ends(chunk, place, longer, string.sub(chunk, 1, HEADER_BYTES + 2 * place))
    end
    return head .. string.sub(chunk, senders_at, from - 1) .. entry .. string.sub(chunk, to + 1)
end

-- The chunk without its entries before `seq`, which has others.
local function cut_entries(chunk, seq)
    local place = (seq - 1) % LOG_CHUNK
    local _, places, bytes = struct.unpack(CHUNK_HEADER, chunk)
    local cut = struct.unpack(">I2", chunk, HEADER_BYTES + 2 * place - 1)
    local senders_at = HEADER_BYTES + 2 * places + 1
    local none = string.sub(chunk, 1, HEADER_BYTES) .. string.rep("\0\0", place)
    return move_ends(chunk, place, 0 - cut, none)
        .. string.sub(chunk, senders_at, senders_at + bytes - 1)
        .. string.sub(chunk, senders_at + bytes + cut)
end

-- Forget the messages from seq `oldest` to the one before `kept`.
local function forget_log(room, oldest, kept)
    local numbers, last = {}, chunk_of(kept)
    for number = chunk_of(oldest), last - 1 do
        numbers[#numbers + 1] = number
    end
    if #numbers > 0 then
        redis.call("HDEL", room.key .. MESSAGE_LOG, unpack(numbers))
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
        local before = numbers[i] * LOG_CHUNK -- seq before its first
        local _, places, bytes = struct.unpack(CHUNK_HEADER, chunk or "\0\0\0\0\0\0\0\0")
        local entries_at = HEADER_BYTES + 2 * places + bytes + 1
        local from = 0
        for place = 0, places - 1 do
            local to = struct.unpack(">I2", chunk, HEADER_BYTES + 2 * place + 1)
            local seq = before + place + 1
            if to > from and seq >= first and seq <= last then
                local kind, _, _, at_ms = struct.unpack(LOGGED_LAYOUT, chunk, entries_at + from)
                local count = #times
                times[count + 1], times[count + 2], times[count + 3] = seq, kind % ROW_NOTED, at_ms
            end
            from = to
        end
    end
    return times
end
