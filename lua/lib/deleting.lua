-- deleting: take one message out of everybody's count.
--@include lib/room
--@include lib/news

-- Lengthen the rows of deleted messages on both sides of `seq` by it, so that the newest one that is left is found without a walk.
local function note_deleted(room, seq)
    local function other_end(beside)
        local _, _, _, _, other = message_at(room, beside)
        return other
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

-- Mark the message with `flag` (DELETED or RECALLED) and lower the unread of all who have not passed it.
local function take_out(room, message, seq, ord, kind, flag)
    raise_revision(room)
    save_message(room, message, seq, ord, kind + flag)
    local counted = kind % 2 == COUNTABLE and kind < DELETED
    if counted then
        redis.call("ZADD", room.key .. ":h", ord, ord)
        room.top_hole = math.max(room.top_hole, ord)
    end
    if flag == DELETED then
        room.dead = room.dead + 1
        note_deleted(room, seq)
    end
    save_head(room)
    if counted and not room.derived then
        tell_members(room, ord)
    end
end
