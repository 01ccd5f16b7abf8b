#!lua flags=no-writes
-- message_sender: who sent a message.
--
-- KEYS[1]    room
-- ARGV[1]    message
-- ARGV[2]    after      seq; messages up to it are unknown
--
-- Reply      the sender, "" for none
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN
-- Cost       commands <= 3, turns <= 0
--@include lib/room

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq = load_message(room, ARGV[1])
if not seq or seq <= tonumber(ARGV[2]) then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local _, sender = message_at(room, seq)
return sender
