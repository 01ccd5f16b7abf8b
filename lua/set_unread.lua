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
-- Cost       O(log holes) for each run of holes that is crossed
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
-- Each step takes back what holes have kept from being counted, so that it ends where exactly `count` are.
local before = ord
local lowest = math.max(room.floor, ord_before_history(room))
ord = math.max(lowest, room.ord - count)
local missing = count - unread_after(room, ord)
while missing > 0 and ord > lowest do
    ord = math.max(lowest, ord - missing)
    missing = count - unread_after(room, ord)
end
raise_revision(room)
save_member(room, user, cursor, ord, read, joined, at, moves, marked, tail)
local known = redis.call("HGET", room.key .. ":u", LOWEST)
local touched = math.min(before, ord)
if not known or tonumber(known) > touched then
    redis.call("HSET", room.key .. ":u", LOWEST, string.format("%.0f", touched))
end
tell_member(room, user, cursor, ord)
return finish(room, unread_after(room, ord))
