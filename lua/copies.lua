#!lua flags=no-writes
-- copies: the copies that a user's side holds, for an audit.
--
-- Key        user
-- Args       ...rooms
--            rooms: none for all
--
-- Reply      [room, revision int, cursor int, unread int, state int, tags tagset,
--              news flag]
--            only those that exist; news: the room is on the list of rooms with news
-- Cost       commands <= 1 + 2 * rooms, turns <= 8 + rooms * 8 + tags * 2
--@include lib/copies
--@include lib/arrays
--@include lib/damaged

local reply = {}

local function add(room, packed)
    local revision, cursor, unread, state, _, tags = unless_damaged(pcall(read_copy, packed))
    if revision and state <= GONE then
        local news = redis.call("ZSCORE", key .. NEWS, room) and 1 or 0
        append(reply, room, revision, cursor, unread, state, tags, news)
    end
end

for _, room in ipairs(rooms) do
    local packed = redis.call("HGET", key, COPY_OF .. room)
    if packed then
        add(room, packed)
    end
end
if #rooms > 0 then
    return reply
end
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        add(room, flat[i + 1])
    end
end
return reply
