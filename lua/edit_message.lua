#!lua
-- edit_message: show a known message anew with another body. No count changes.
--
-- Key        room
-- Args       app, message, body
--            body: JSON object, published as given
--
-- Reply      { message, seq int, ordinal int, at_ms int, created flag, moved int, sender? }
--            as post, of the message as it is stored
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN (also when deleted or recalled)    nothing was written
-- Publishes  message (edit)
-- Cost       commands <= 9, turns <= 10
--@include lib/room
--@include lib/messages
--@include lib/notices

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, ordinal, kind, chunk = load_message(room, message)
if not seq or kind >= DELETED or seq <= room.floor_seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local _, sender, at_ms = read_entry(room, chunk, seq)
publish(room, "message", message, sender, at_ms, seq, "edit", body)
return { message, seq, ordinal, at_ms, 0, 0, sender }
