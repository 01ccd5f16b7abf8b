#!lua flags=allow-oom
-- receipt_counts: how many have read each of several messages.
--
-- Key        room
-- Args       after int, ...messages
--            after: seq; messages up to it are unknown
--
-- Reply      [{ message, read int, unread int, left int }?]   none: unknown, deleted or recalled
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 4 + messages * (9 + acknowledged) + acknowledged,
--            turns <= 4 + members + messages * (9 + 2 * acknowledged)
--            acknowledged: those who have acknowledged one of them; members: up to the fan-out
--            limit
--@include lib/room
--@include lib/receipts

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local order, reply, known = order_of(room), {}, {}
for i, message in ipairs(messages) do
    local seq, sender, _, sender_joined = receipted(room, message, after)
    if seq then
        local acknowledged = acknowledgements(room, seq)
        reply[i] = { message, count_receipts(room, order, seq, sender, sender_joined, acknowledged, known) }
    else
        reply[i] = {}
    end
end
return reply
