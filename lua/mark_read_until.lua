#!lua
-- mark_read_until: move one member's cursor forward to the newest message of a time or earlier.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3]    until_ms  Unix ms; 0: now, and so the newest message of all
-- ARGV[4]    journal   "<moves kept> <ms kept>"
-- ARGV[5]    shard     of the events, "" when nobody wants any
--
-- Reply      as mark_read; { "", 0, 0, unread, total } when there is no such message
-- Errors     ROOM_UNKNOWN, NOT_MEMBER    nothing was written
-- Publishes  as mark_read
-- Cost       O(log members), and with a time O(messages that are newer)
--@include lib/room
--@include lib/reading
--@include lib/until
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local user, until_ms = ARGV[2], tonumber(ARGV[3])
local _, ord, read, _, _, _, marked = load_member(room, user)
if not ord then
    return redis.error_reply(NOT_MEMBER)
end
local time = redis.call("TIME")
note_until(room, user, until_ms > 0 and until_ms or time[1] * 1000 + math.floor(time[2] / 1000))
local seq = room.seq
local message, _, at_ms = message_at(room, seq)
while message and until_ms > 0 and at_ms > until_ms do
    seq = seq - 1
    message, _, at_ms = message_at(room, seq)
end
if not message then
    tell_owed(room)
    return finish(room, { "", 0, 0, unread_after(room, ord), total_told() })
end
local _, message_ord = load_message(room, message)
return finish(room, read_up_to(room, user, message, seq, message_ord, ARGV[4], ARGV[5]))
