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

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local user, message = ARGV[2], ARGV[3]
local cursor, ord, read = load_member(room, user)
if not cursor then
    return redis.error_reply(NOT_MEMBER)
end
local seq, message_ord = load_message(room, message)
if not seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
if seq <= read then
    -- A retry or an older device: the later position stands, and that is no error. Its message may be forgotten; then the asked one is named.
    tell_owed(room)
    local kept = message_at(room, read)
    return finish(room, { kept or message, read, 0, unread_after(room, ord), total_told() })
end
raise_revision(room)
if seq > cursor then
    cursor, ord = seq, message_ord
end
save_member(room, user, cursor, ord, seq)
save_head(room)
local unread = unread_after(room, ord)
tell_member(room, user, cursor, ord)
local reply = { message, seq, 1, unread, total_told() }
publish({ "read", room_of(room.key), user, message, seq })
return finish(room, reply)
