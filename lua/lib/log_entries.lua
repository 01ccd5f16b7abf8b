-- log_entries: the entries of the log of messages one by one, for an audit: read without trust, and
-- written anew.
--@include lib/messages
--@include lib/damaged
--@include lib/text

local function parse_whole(chunk, seq)
    local from, to, base, base_ms = find_entry(chunk, seq)
    if not from then
        return nil
    end
    local _, above, sender_at = struct.unpack(LOGGED_LAYOUT, chunk, from)
    local kind, row = read_flags(chunk, from)
    local packing, id = read_packed(chunk, from, to)
    local message = unpack_id(packing, id)
    local again, same = pack_id(message)
    if message == "" or again ~= packing or same ~= id or not is_text(message) then
        return nil
    end
    return {
        seq = seq, ordinal = base + above, kind = kind, row = row, packing = packing, id = id, sender_at = sender_at,
        at_ms = time_at(chunk, from, base_ms), message = message,
    }
end

-- The entry at `seq`: seq, ordinal, kind, row, packing and id, message (its id as text), sender_at,
-- at_ms. Nil when there is none or it is damaged.
local function load_entry(room, seq)
    local chunk = seq > 0 and load_log_chunk(room, chunk_of(seq))
    return chunk and unless_damaged(pcall(parse_whole, chunk, seq)) or nil
end

-- Write an entry, new or changed, into its chunk. Those that are damaged are left out.
local function put_entry(room, entry)
    local number, chunk = chunk_of(entry.seq), nil
    for seq = number * LOG_CHUNK + 1, (number + 1) * LOG_CHUNK do
        local one = seq == entry.seq and entry or load_entry(room, seq)
        if one then
            -- No ordinal of the chunk may be too far from the others to be stored.
            local far = seq - entry.seq
            local low, high = entry.ordinal + math.min(far, 0), entry.ordinal + math.max(far, 0)
            one.ordinal = math.max(low, math.min(high, one.ordinal))
            chunk = append_entry(chunk, seq, one.ordinal, one.kind, one.packing, one.id, one.sender_at, one.at_ms)
            if one.row then
                chunk = change_entry(chunk, seq, one.kind, one.row)
            end
        end
    end
    save_log_chunk(room, number, chunk)
end

-- Put a message that is in the log into the index of ids, in its place among the seqs of its
-- bucket.
local function index_again(room, message, seq)
    local locator = locator_of(room, message)
    local at = 1
    while at < #locator.bucket and indexed_seq(room, locator.bucket, at) < seq do
        at = at + INDEXED_BYTES
    end
    local entry = locator.hash .. struct.pack(">I4", seq % SEQS_APART)
    local bucket = string.sub(locator.bucket, 1, at - 1) .. entry .. string.sub(locator.bucket, at)
    redis.call("HSET", room.key .. MESSAGE_LOG, locator.field, bucket)
end

-- The place that stands for no sender among the senders of `seq`.
local function place_of_no_sender(room, seq)
    local field = senders_of(seq)
    local at, senders = add_sender(redis.call("HGET", room.key .. MESSAGE_LOG, field) or "", "", -1)
    if senders then
        redis.call("HSET", room.key .. MESSAGE_LOG, field, senders)
    end
    return at
end

-- The place beside `seq`, upwards (1) or downwards (-1): the nearest one in a chunk that there is,
-- or the one beyond all that are remembered.
local function next_place(room, seq, step)
    local number = chunk_of(seq + step)
    if redis.call("HEXISTS", room.key .. MESSAGE_LOG, number) == 1 then
        return seq + step
    end
    local nearest
    for _, field in ipairs(redis.call("HKEYS", room.key .. MESSAGE_LOG)) do
        local other = tonumber(field)
        if other and (other - number) * step > 0 and (not nearest or (nearest - other) * step > 0) then
            nearest = other
        end
    end
    if step > 0 then
        return nearest and math.min(nearest * LOG_CHUNK, room.seq) + 1 or room.seq + 1
    end
    return nearest and math.max((nearest + 1) * LOG_CHUNK, room.oldest - 1) or room.oldest - 1
end
