#!lua flags=no-writes
-- rooms: the rooms of a user, frozen ones included.
--
-- Key        user
-- Args       none
--
-- Reply      { rooms [room], derived [room] }   derived: rooms above the fan-out limit, whose
--            membership the room itself confirms
-- Cost       commands <= 1, turns <= 2 + rooms + tags * 2
--@include lib/copies

local rooms, derived = {}, {}
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        local _, _, _, state = read_copy(flat[i + 1])
        local list = state == DERIVED and derived or rooms
        if state ~= GONE then
            list[#list + 1] = room
        end
    end
end
return { rooms, derived }
