-- hidden: messages that are never a room's last one: deleted ones, and those that were posted so.
-- They stand in rows. The first and the last message of a row know where its other end is, so that
-- the last message of a room is found without a walk.
--@include lib/messages
--@include lib/terms

-- Hide the message at `seq`: lengthen the rows on both sides of it by it.
local function hide(room, seq)
    local function other_end(beside)
        local _, row = flags_at(room, beside)
        return row
    end

    if other_end(seq) then
        return -- posted so
    end
    local first, last = other_end(seq - 1) or seq, other_end(seq + 1) or seq
    local function note(at, other)
        local kind = flags_at(room, at)
        if kind then
            change_message(room, at, kind, other)
        end
    end

    note(first, last)
    if last ~= first then
        note(last, first)
    end
end

-- The newest message that is not hidden: { id, seq, sender, at_ms }, or {}.
local function last_message(room)
    local seq = room.seq
    while seq > room.floor_seq do
        local message, sender, at_ms, _, row = message_at(room, seq)
        if message and not row then
            return { message, seq, sender, at_ms }
        end
        local first = message and math.min(row, seq) or jump_over(room, seq)
        if not first then
            return {}
        end
        seq = first - 1
    end
    return {}
end
