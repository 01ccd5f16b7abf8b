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
-- Cost       commands <= 16 + newer, turns <= 6 + newer + tags
--            newer: messages of a later time; none without a time
--@include lib/room
--@include lib/reading
--@include lib/until
--@plan

local room, record = load_head_and_record(KEYS[1], ARGV[2])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local user, until_ms = ARGV[2], tonumber(ARGV[3])
if not record then
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
    local _, ord = read_record(record)
    return finish(room, { "", 0, 0, unread_after(room, ord), total_told() })
end
local _, message_ord = place_of(room, message)
return finish(room, read_up_to(room, user, record, message, seq, message_ord, ARGV[4], ARGV[5]))
