#!lua flags=allow-oom
-- members: up to `limit` members with their read states; those who have read furthest come first
-- when not all are given.
--
-- Key        room
-- Args       limit int
--
-- Reply      [member, cursor int, unread int, last_read?]   last_read: "" without a real read
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 6 + 3 * limit + members / 1000, turns <= 4 + limit + members
--            members: up to the fan-out limit, above it they are in order already
--@include lib/messages
--@include lib/order

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local names, reply = {}, {}

local function message_of(read)
    if read == 0 then
        return ""
    end
    if names[read] == nil then
        names[read] = message_id_at(room, read) or false
    end
    return names[read] or ""
end

for _, name in ipairs(redis.call("ZREVRANGE", order_of(room), 0, limit - 1)) do
    local member = load_member(room, name)
    if member then -- else the order has a stranger, whom the audit removes
        reply[#reply + 1] = name
        reply[#reply + 1] = member.cursor
        reply[#reply + 1] = unread_after(room, member.ordinal)
        reply[#reply + 1] = message_of(member.read)
    end
end
return reply
