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
    local form, id
    if chunk then
        form, id = packed_at(chunk, seq)
    end
    return form and unpack_id(form, id)
end

-- The newest chunk of the log: { number, chunk: false when nothing is remembered }.
local function open_chunk(room)
    local number = chunk_of(room.seq)
    local chunk = load_log_chunk(room, number)
    while not chunk and number > chunk_of(room.oldest) do
        number = number - 1 -- places were left out
        chunk = load_log_chunk(room, number)
    end
    return { number = number, chunk = chunk }
end

-- seq, ordinal and kind of the message whose id is packed in this form, and its chunk (for
-- read_entry); nil when it is unknown. `open`: the newest chunk.
local function find_message(room, open, form, id)
    if not open.chunk then
        return nil
    end
    local seq, ordinal, kind = find_packed(open.chunk, open.number, form, id)
    if seq then
        return seq, ordinal, kind, open.chunk
    end
    return find_indexed(room, form, id)
end

-- The same of a message by its id.
local function load_message(room, message)
    return find_message(room, open_chunk(room), pack_id(message))
end

-- seq and ordinal of a message; nil when it is unknown. Most members read up to the newest one,
-- which needs no look.
local function place_of(room, message)
    if message == room.newest and message ~= "" then
        return room.seq, room.ordinal
    end
    return load_message(room, message)
end

-- Write a message down behind all others, in the newest chunk `open` or a next one. Saves no head.
local function append_message(room, open, seq, ordinal, kind, form, id, sender, at_ms, joined)
    local number = chunk_of(seq)
    if number > open.number then
        if open.chunk then
            index_chunk(room, open.number, open.chunk)
        end
        open.number, open.chunk = number, nil
    end
    local sender_at = note_sender(room, seq, sender, joined)
    open.chunk = append_entry(open.chunk, seq, ordinal, kind, form, id, sender_at, at_ms)
    save_log_chunk(room, number, open.chunk)
end

-- Note another kind of the message at `seq`, which is remembered, and the row that it is at one end
-- of, nil for none.
local function change_message(room, seq, kind, row)
    local number = chunk_of(seq)
    save_log_chunk(room, number, change_entry(load_log_chunk(room, number), seq, kind, row))
end

-- Add a flag to the kind of the message at `seq`.
local function flag_message(room, seq, flag)
    local _, _, _, _, row, _, kind = message_at(room, seq)
    change_message(room, seq, kind + flag, row)
end

-- Whether a message of this seq and kind is no longer there for its readers.
local function is_deleted(room, seq, kind)
    return seq <= room.floor_seq or kind % (2 * DELETED) >= DELETED
end
