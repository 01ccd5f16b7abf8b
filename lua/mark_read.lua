#!lua
-- mark_read: move one member's cursor forward to a message.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3]    message
-- ARGV[4]    journal   "<moves kept> <ms kept>"
-- ARGV[5]    shard     of the events, "" when nobody wants any
--
-- Reply      { message, seq, moved, unread, total }   total: the user's badge, -1 on the split plan
--            moved: 1 when the cursor moved, or only a count or mark that had been set by hand
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, MESSAGE_UNKNOWN    nothing was written
-- Publishes  read, when moved; and the event
-- Cost       commands <= 16, turns <= 6 + tags
--            however many members and messages there are
--@include lib/room
--@include lib/reading
--@plan

local room, record = load_head_and_record(KEYS[1], ARGV[2])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, ord = place_of(room, ARGV[3])
if not (seq and record) then
    return redis.error_reply(record and MESSAGE_UNKNOWN or NOT_MEMBER)
end
return finish(room, read_up_to(room, ARGV[2], record, ARGV[3], seq, ord, ARGV[4], ARGV[5]))
