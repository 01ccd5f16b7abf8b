-- deleting: take one message out of everybody's count.
--@include lib/room
--@include lib/news
--@include lib/hidden

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
        redis.call("ZADD", room.key .. ":d", seq, seq)
        hide(room, seq)
    end
    save_head(room)
    if counted and not room.derived then
        tell_members(room, ord)
    end
end
