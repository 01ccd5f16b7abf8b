#!lua
-- audit_copies: copies on a user's side that cannot be read, or have a stamp of the future. They
-- are dropped when asked to, and told anew by their rooms.
--
-- Key        user
-- Args       repair flag, ...rooms
--            rooms: whose copies are not as their rooms say: they lose stamp and cursor, so that
--            whatever the room tells next takes their place; counters stay what they are
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 4 + 3 * rooms, turns <= 4 + 8 * rooms
--@include lib/audit
--@include lib/copies

local _, latest = clock_us()
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        local revision, _, _, state = unless_damaged(pcall(read_copy, flat[i + 1]))
        local is_right = revision and revision <= latest and state <= GONE
        compare(of("copy", room), is_right and "" or DAMAGED_VALUE, is_right and "" or "that of the room", function()
            redis.call("HDEL", key, flat[i])
        end)
    end
end
for _, room in ipairs(rooms) do
    local packed = redis.call("HGET", key, COPY_OF .. room)
    if packed then
        local _, _, unread, state, changed_at, tags = read_copy(packed)
        redis.call("HSET", key, COPY_OF .. room, pack_copy(0, 0, unread, state, changed_at, tags))
    end
end
return { compared, differences }
