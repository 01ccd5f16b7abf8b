#!lua flags=allow-oom
-- members: up to `limit` members with their read states; those who have read furthest come first when not all are given.
--
-- KEYS[1]    room
-- ARGV[1]    limit
--
-- Reply      { member, cursor, unread, last_read, ... }   last_read: message id, or "" without a real read
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 6 + 3 * limit + members / 1000, turns <= 4 + limit + members
--            members: up to the fan-out limit, above it they are in order already
--@include lib/order

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local names = {}
local reply = {}
local function message_of(read)
    if read == 0 then
        return ""
    end
    if names[read] == nil then
        names[read] = message_at(room, read) or false
    end
    return names[read] or ""
end
for _, member in ipairs(redis.call("ZREVRANGE", order_of(room), 0, tonumber(ARGV[1]) - 1)) do
    local cursor, ord, read = load_member(room, member)
    reply[#reply + 1] = member
    reply[#reply + 1] = cursor
    reply[#reply + 1] = unread_after(room, ord)
    reply[#reply + 1] = message_of(read)
end
return reply
