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

-- The same of a message by its id. Most of those that are asked for are in the index.
local function load_message(room, message)
    if message == "" then
        return nil
    end
    local form, id = pack_id(message)
    local seq, ordinal, kind, chunk = find_indexed(room, form, id)
    if seq then
        return seq, ordinal, kind, chunk
    end
    local open = open_chunk(room)
    if open.chunk then
        seq, ordinal, kind = find_packed(open.chunk, open.number, form, id)
        return seq, ordinal, kind, open.chunk
    end
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

-- Kind, row or nil, and chunk of the message at `seq`; nil when it is not remembered.
local function flags_at(room, seq)
    local chunk = load_log_chunk(room, chunk_of(seq))
    local from = chunk and find_entry(chunk, seq)
    if from then
        local kind, row = read_flags(chunk, from)
        return kind, row, chunk
    end
end

-- Note another kind of the message at `seq` in its chunk, and the row that it is at one end of, nil
-- for none.
local function change_message(room, chunk, seq, kind, row)
    save_log_chunk(room, chunk_of(seq), change_entry(chunk, seq, kind, row))
end

-- Whether a message of this seq and kind is no longer there for its readers.
local function is_deleted(room, seq, kind)
    return seq <= room.floor_seq or kind % (2 * DELETED) >= DELETED
end
