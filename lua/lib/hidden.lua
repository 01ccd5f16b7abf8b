-- hidden: messages that are never a room's last one: deleted ones, and those that were posted so. They
-- stand in rows, of which the first and the last message know where the other end is, so that the last
-- message of a room is found without a walk.
--@include lib/room

-- Hide the message at `seq`: lengthen the rows on both sides of it by it.
local function hide(room, seq)
    local function other_end(beside)
        local _, _, _, _, other = message_at(room, beside)
        return other
    end

    if other_end(seq) then
        return -- posted so
    end
    local first, last = other_end(seq - 1) or seq, other_end(seq + 1) or seq
    local function note(at, other)
        local message, sender, at_ms, joined = message_at(room, at)
        if message then
            redis.call("HSET", room.key .. ":l", at, cmsgpack.pack(message, sender, at_ms, joined, other))
        end
    end

    note(first, last)
    if last ~= first then
        note(last, first)
    end
end
