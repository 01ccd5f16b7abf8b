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
        return read_entry(chunk, seq)
    end
end

-- seq, ordinal, kind, sender, time in ms and where the sender had joined, of the message of a slot
-- of the index; nil when it is unknown.
local function message_in(room, slot, message)
    local seq, at = next_indexed(slot, 0)
    while seq do
        local stored, sender, at_ms, joined, _, ordinal, kind = message_at(room, seq)
        if stored == message then
            return seq, ordinal, kind, sender, at_ms, joined
        end
        seq, at = next_indexed(slot, at)
    end
end

-- The same of a message by its id.
local function load_message(room, message)
    return message_in(room, slot_of(room, message), message)
end

-- seq and ordinal of a message; nil when it is unknown. Most members read up to the newest one,
-- which needs no look.
local function place_of(room, message)
    if message == room.newest and message ~= "" then
        return room.seq, room.ordinal
    end
    return load_message(room, message)
end

-- Write a message down behind all others; `slot`: its place in the index. Saves no head.
local function append_message(room, slot, seq, ordinal, kind, message, sender, at_ms, joined)
    local number = chunk_of(seq)
    local chunk = load_log_chunk(room, number)
    save_log_chunk(room, number, append_entry(chunk, seq, ordinal, kind, message, sender, at_ms, joined))
    index_message(room, slot, seq)
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
