#!lua flags=no-writes
-- message: what is remembered of one message.
--
-- KEYS[1]    room
-- ARGV[1]    message
-- ARGV[2]    after      seq; messages up to it are unknown
--
-- Reply      { seq, sender, at_ms }   sender: "" for none
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
local _, sender, at_ms = message_at(room, seq)
return { seq, sender, at_ms }
