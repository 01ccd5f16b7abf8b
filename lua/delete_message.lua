#!lua flags=allow-oom
-- delete_message: delete one message; every badge that counted it falls by one. Its place stays, so
-- cursors may stand on it.
--
-- Key        room
-- Args       app, message
--
-- Reply      count int   1, or 0 when it was deleted already
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN    nothing was written
-- Publishes  deleted, when count = 1
-- Cost       commands <= 25 + 3 * members, turns <= 32 + tags + members * max(6, 3 + tags)
--            members: as in post
--@include lib/room
--@include lib/deleting
--@include lib/notices
--@plan

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, ordinal, kind = load_message(room, message)
if not seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
if is_deleted(room, seq, kind) then
    push_pending(room)
    return finish(room, 0)
end
remove_from_counts(room, seq, ordinal, kind, DELETED)
publish(room, "deleted", message)
return finish(room, 1)
