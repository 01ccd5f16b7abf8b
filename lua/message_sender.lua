#!lua flags=no-writes
-- message_sender: who sent a message.
--
-- KEYS[1]    room
-- ARGV[1]    message
--
-- Reply      the sender, "" for none
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN
-- Cost       O(log messages)
--@include lib/room

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
local seq = load_message(room, ARGV[1])
if not seq then
    return refuse_message()
end
local _, sender = message_at(room, seq)
return sender
