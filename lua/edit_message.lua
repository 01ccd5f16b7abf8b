#!lua
-- edit_message: show a known message anew with another body. No count changes.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    message
-- ARGV[3]    body      JSON object, published as given
--
-- Reply      as post, of the message as it is stored
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN (also when deleted or recalled)    nothing was written
-- Publishes  message (edit)
-- Cost       commands <= 4, turns <= 0
--@include lib/room
--@include lib/notices

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local message = ARGV[2]
local seq, ord, kind = load_message(room, message)
if not seq or kind >= DELETED or seq <= room.floor_seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local _, sender, at_ms = message_at(room, seq)
publish("message", room_of(room.key), message, sender, at_ms, seq, "edit", ARGV[3])
return { message, seq, ord, at_ms, 0, 0, sender }
