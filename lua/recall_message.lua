#!lua flags=allow-oom
-- recall_message: withdraw one message; it keeps its place and is shown as recalled, not counted.
--
-- Key        room
-- Args       app, message, body
--            body: JSON object, published as given
--
-- Reply      count int   1, or 0 when it was recalled or deleted already
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN    nothing was written
-- Publishes  message (recall), when count = 1
-- Cost       commands <= 17 + 3 * members, turns <= 8 + tags + members * max(6, 3 + tags)
--            members: as in post
--@include lib/room
--@include lib/deleting
--@include lib/notices
--@plan

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, ordinal, kind, chunk = load_message(room, message)
if not seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
if is_deleted(room, seq, kind) or kind >= RECALLED then
    push_pending(room)
    return finish(room, 0)
end
remove_from_counts(room, seq, ordinal, kind, RECALLED)
local _, sender, at_ms = read_entry(room, chunk, seq)
publish(room, "message", message, sender, at_ms, seq, "recall", body)
return finish(room, 1)
