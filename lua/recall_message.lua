#!lua flags=allow-oom
-- recall_message: withdraw one message; it keeps its place and is shown as recalled, but counts no more.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    message
-- ARGV[3]    body      JSON object, published as given
--
-- Reply      count   1, or 0 when it was recalled or deleted already
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN    nothing was written
-- Publishes  message (recall), when count = 1
-- Cost       commands <= 12 + 3 * members, turns <= 4 + tags + members * max(5, 2 + tags)
--            members: up to the fan-out limit, above it none is told
--@include lib/room
--@include lib/deleting
--@include lib/notices
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local message = ARGV[2]
local seq, ord, kind = load_message(room, message)
if not seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
if is_deleted(room, seq, kind) or kind >= RECALLED then
    tell_owed(room)
    return finish(room, 0)
end
take_out(room, message, seq, ord, kind, RECALLED)
local _, sender, at_ms = message_at(room, seq)
publish("message", room_of(room.key), message, sender, at_ms, seq, "recall", ARGV[3])
return finish(room, 1)
