#!lua flags=no-writes
-- rooms: the rooms of a user, frozen ones included.
--
-- KEYS[1]    user
--
-- Reply      { rooms, derived }   derived: rooms above the fan-out limit, whose membership the room itself confirms
-- Cost       commands <= 1, turns <= 2 + rooms + tags * 2
--@include lib/copies

local rooms, derived = {}, {}
local flat = redis.call("HGETALL", KEYS[1])
for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 1) == "r" then
        local _, _, _, state = read_copy(flat[i + 1])
        local list = state == DERIVED and derived or rooms
        if state ~= GONE then
            list[#list + 1] = string.sub(flat[i], 2)
        end
    end
end
return { rooms, derived }
