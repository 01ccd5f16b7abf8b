#!lua flags=no-writes
-- message: what is remembered of one message.
--
-- Key        room
-- Args       message, after int
--            after: seq; messages up to it are unknown
--
-- Reply      { message, seq int, sender?, at_ms int }   sender: "" for none
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN
-- Cost       commands <= 5, turns <= 10
--@include lib/room
--@include lib/messages

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, _, _, chunk = load_message(room, message)
if not seq or seq <= after then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local _, sender, at_ms = read_entry(room, chunk, seq)
return { message, seq, sender, at_ms }
