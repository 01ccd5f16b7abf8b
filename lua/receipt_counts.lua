#!lua
-- receipt_counts: how many have read each of several messages.
--
-- KEYS[1]    room
-- ARGV[1]    after     seq; messages up to it are unknown
-- ARGV[2..]  messages
--
-- Reply      { {read, unread, left} or {}, ... }   {}: unknown, deleted or recalled
-- Errors     ROOM_UNKNOWN
-- Cost       O(messages x log members), and O(members) up to the fan-out limit
--@include lib/room
--@include lib/receipts

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local order, reply = order_of(room), {}
for i = 2, #ARGV do
    local seq, sender, _, sender_joined = receipted(room, ARGV[i])
    local known = seq and seq > tonumber(ARGV[1])
    reply[i - 1] = known and { count_receipts(room, order, seq, sender, sender_joined, acknowledgements(room, seq)) } or {}
end
return reply
