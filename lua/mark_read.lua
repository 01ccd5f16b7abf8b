#!lua
-- mark_read: move one member's cursor forward to a message.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3]    message
--
-- Reply      { message, seq, moved, unread, total }   total: the user's badge, -1 on the split plan
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, MESSAGE_UNKNOWN    nothing was written
-- Publishes  read, when moved
-- Cost       O(log members), a constant number of commands
--@include lib/room
--@include lib/news
--@include lib/notices
--@plan

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
local app, user, message = ARGV[1], ARGV[2], ARGV[3]
local cursor, ord, read = load_member(room, user)
if not cursor then
    return redis.error_reply("NOT_MEMBER not a member of this room")
end
local seq, message_ord = load_message(room, message)
if not seq then
    return refuse_message()
end
local plan = begin(app, room)
if seq <= read then
    -- A retry or an older device: the later position stands, and that is no error. Its message may be forgotten; then the asked one is named.
    plan.tell_owed()
    return plan.finish({ message_at(room, read) or message, read, 0, unread_after(room, ord), total_of(app, user, plan) })
end
raise_revision(room)
if seq > cursor then
    cursor, ord = seq, message_ord
end
save_member(room, user, cursor, ord, seq)
redis.call("HSET", room.key, "rev", room.rev)
local unread = unread_after(room, ord)
tell_member(plan, room, user, cursor, ord)
local reply = { message, seq, 1, unread, total_of(app, user, plan) }
publish(app, { "read", room_of(app, room.key), user, message, seq })
return plan.finish(reply)
