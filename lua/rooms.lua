#!lua flags=no-writes
-- rooms: the rooms of a user, frozen ones included.
--
-- Key        user
-- Args       none
--
-- Reply      { rooms [room], asked [room] }   asked: rooms whose copies do not say for certain that
--            the user is in them: the rooms themselves are to be asked
-- Cost       commands <= 2, turns <= 2 + 2 * rooms + tags * 2
--@include lib/copies

local rooms, asked, news = {}, {}, {}
for _, room in ipairs(redis.call("ZRANGE", key .. NEWS, 0, -1)) do
    news[room] = true
end
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        local _, _, _, state = read_copy(flat[i + 1])
        local list = (state == DERIVED or news[room]) and asked or rooms
        if state ~= GONE then
            list[#list + 1] = room
        end
    end
end
return { rooms, asked }
