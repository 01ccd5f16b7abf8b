-- messages: what is remembered of a room's messages. Bodies are never kept.
--@include lib/message_index
--@include lib/message_log

-- A message's kind is a sum of:
local COUNTABLE = 1
local DELETED = 2
local RECALLED = 4

-- id, sender, time in ms and where the sender had joined (-1: was no member) of the message at
-- `seq`; of the first or last of a row of hidden ones (lib/hidden.lua) the seq at the row's other
-- end, else nil; ordinal and kind. Nil when it is not remembered.
local function message_at(room, seq)
    local chunk = load_log_chunk(room, chunk_of(seq))
    if chunk then
        return read_entry(room, chunk, seq)
    end
end

-- The id of the message at `seq`; nil when it is not remembered.
local function message_id_at(room, seq)
    local chunk = load_log_chunk(room, chunk_of(seq))
    local packing, id
    if chunk then
        packing, id = unless_damaged(pcall(packed_at, chunk, seq))
    end
    return packing and unless_damaged(pcall(unpack_id, packing, id))
end

-- seq, ordinal and kind of a message, and its chunk of the log (for read_entry); nil when it is
-- unknown.
local function load_message(room, message)
    return find_message(room, locator_of(room, message))
end

-- seq and ordinal of a message; nil when it is unknown. Most members read up to the newest one,
-- which needs no look.
local function place_of(room, message)
    if message == room.newest and message ~= "" then
        return room.seq, room.ordinal
    end
    return load_message(room, message)
end

-- Write a message down behind all others; `locator`: where the index has it, with `seq`. Saves no
-- head.
local function append_message(room, locator, seq, ordinal, kind, sender, at_ms, joined)
    local sender_at, senders = add_sender(locator.senders or "", sender, joined)
    local chunk = append_entry(locator.chunk, seq, ordinal, kind, locator.packing, locator.id, sender_at, at_ms)
    save_message(room, locator, seq, chunk, senders)
end

-- Kind and row or nil of the message at `seq`; nil when it is not remembered.
local function flags_at(room, seq)
    local chunk = load_log_chunk(room, chunk_of(seq))
    local from = chunk and find_entry(chunk, seq)
    if from then
        local kind, row = read_flags(chunk, from)
        return kind, row
    end
end

-- Note another kind of the message at `seq`, which is remembered, and the row that it is at one end
-- of, nil for none.
local function change_message(room, seq, kind, row)
    local number = chunk_of(seq)
    save_log_chunk(room, number, change_entry(load_log_chunk(room, number), seq, kind, row))
end

-- Whether a message of this seq and kind is no longer there for its readers.
local function is_deleted(room, seq, kind)
    return seq <= room.floor_seq or kind % (2 * DELETED) >= DELETED
end
