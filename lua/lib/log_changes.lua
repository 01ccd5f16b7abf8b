-- log_changes: how a chunk of the log (lib/log_chunks.lua) changes.
--@include lib/log_chunks

-- The chunk, nil for none, with a message at `seq` behind all others of it.
local function append_entry(chunk, seq, ordinal, kind, packing, id, sender_at, at_ms)
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
        .. struct.pack(LOGGED_LAYOUT, kind + 16 * packing, ordinal - base, sender_at, above_ms)
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
    local head = longer == 0 and string.sub(chunk, 1, head_bytes)
        or move_ends(chunk, string.sub(chunk, 1, HEADER_BYTES + 2 * place), place, longer)
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
