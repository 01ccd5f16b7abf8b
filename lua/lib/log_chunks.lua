-- log_chunks: a room's messages stand in chunks. A chunk is one string, the field of MESSAGE_LOG
-- named by its number, for LOG_CHUNK places (seqs) in a row:
--
--   header    base ordinal I5, base time (Unix ms) I6, places P so far B
--   ends      P times I2: where the entry of each place ends, counted from the first entry; a place
--             without a message ends where the one before it does
--   entries   in order of their seqs:
--               kind (lib/messages.lua) + flags + 16 * packing of the id (lib/packed_ids.lua) B
--               ordinal - base ordinal B   less than LOG_CHUNK, as an ordinal needs a seq
--               where its sender begins among the senders I2
--               Unix ms - base time + TIME_SHIFT I4
--               with flag ROW_NOTED: seq at the other end of its row (lib/hidden.lua) I5
--               with flag FAR_TIME: Unix ms I6   when it does not fit above, which is 0 then
--               id, to the end
--
-- The senders of SENDERS_CHUNK places in a row are a string too, the field "s" and its number: each
-- pair of a sender and where they had joined once, as joined + 1 (0: was no member) I5, bytes B and
-- id. So a post reads and writes few bytes, and who sends much is written down once.
-- All numbers are big-endian.
--@include lib/packed_ids

local LOG_CHUNK = 16 -- messages
local ROW_NOTED = 8
local FAR_TIME = 64
local TIME_SHIFT = 2147483648
local CHUNK_HEADER = ">I5I6B"
local HEADER_BYTES = 12
local LOGGED_LAYOUT = ">BBI2I4"
local LOGGED_BYTES = 8 -- without row, far time and id

local function chunk_of(seq)
    return math.floor((seq - 1) / LOG_CHUNK)
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

-- Packing and bytes of the id in the entry from `from` to `to`, as they are stored.
local function read_packed(chunk, from, to)
    local _, _, at, flags = read_flags(chunk, from)
    if flags >= FAR_TIME then
        at, flags = at + 6, flags - FAR_TIME
    end
    return math.floor(flags / 16), string.sub(chunk, at, to)
end

-- The same of the message at `seq`; nil when there is none.
local function packed_at(chunk, seq)
    local from, to = find_entry(chunk, seq)
    if from then
        return read_packed(chunk, from, to)
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

-- Ordinal and kind of the message at `seq`; nil when its id is not this packed one.
local function match_entry(chunk, seq, packing, id)
    local from, to, base = find_entry(chunk, seq)
    if not from then
        return nil
    end
    local found_packing, found = read_packed(chunk, from, to)
    if found == id and found_packing == packing then
        return base + string.byte(chunk, from + 1), string.byte(chunk, from) % ROW_NOTED
    end
end
