#!lua flags=allow-oom
-- receipt_counts: how many have read each of several messages.
--
-- KEYS[1]    room
-- ARGV[1]    after     seq; messages up to it are unknown
-- ARGV[2..]  messages
--
-- Reply      { {read, unread, left} or {}, ... }   {}: unknown, deleted or recalled
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 4 + messages * (9 + acknowledged) + acknowledged,
--            turns <= 4 + members + messages * (2 + 2 * acknowledged)
--            acknowledged: those who have acknowledged one of them; members: up to the fan-out
--            limit
--@include lib/room
--@include lib/receipts

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local order, reply, known = order_of(room), {}, {}
for i = 2, #ARGV do
    local seq, sender, _, sender_joined = receipted(room, ARGV[i])
    if seq and seq > tonumber(ARGV[1]) then
        reply[i - 1] = { count_receipts(room, order, seq, sender, sender_joined, (acknowledgements(room, seq)), known) }
    else
        reply[i - 1] = {}
    end
end
return reply
