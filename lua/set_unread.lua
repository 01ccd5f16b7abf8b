#!lua
-- set_unread: make a member's unread a given number, or as many as there are messages remembered. The cursor stays, and so do receipts.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3]    count
--
-- Reply      what unread is now
-- Errors     ROOM_UNKNOWN, NOT_MEMBER    nothing was written
-- Cost       commands <= 16 + log(messages), turns <= 8 + tags + log(messages)
--            messages: as many as are remembered
--@include lib/room
--@include lib/news
--@include lib/history
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local user, count = ARGV[2], tonumber(ARGV[3])
local cursor, ord, read, joined, at, moves, marked, tail = load_member(room, user)
if not cursor then
    return redis.error_reply(NOT_MEMBER)
end
if unread_after(room, ord) == count then
    tell_owed(room)
    return finish(room, count)
end
-- The highest ordinal after which `count` are counted, whatever holes there are.
local before = ord
local low = math.max(room.floor, ord_before_history(room))
local high = math.max(low, room.ord - count)
while low < high do
    local middle = math.ceil((low + high) / 2)
    if unread_after(room, middle) >= count then
        low = middle
    else
        high = middle - 1
    end
end
ord = low
raise_revision(room)
save_member(room, user, cursor, ord, read, joined, at, moves, marked, tail)
local known = redis.call("HGET", room.key .. ":u", LOWEST)
local touched = math.min(before, ord)
if not known or tonumber(known) > touched then
    redis.call("HSET", room.key .. ":u", LOWEST, string.format("%.0f", touched))
end
tell_member(room, user, cursor, ord)
return finish(room, unread_after(room, ord))
