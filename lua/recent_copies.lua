#!lua flags=no-writes
-- recent_copies: the rooms whose copies were last updated since a revision.
--
-- Key        user
-- Args       since int
--
-- Reply      [room]
-- Cost       commands <= 1, turns <= fields
--            fields: of the user's hash
--@include lib/copies

local recent = {}
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    local revision = room and read_copy(flat[i + 1]) or 0
    if room and revision >= since then
        recent[#recent + 1] = room
    end
end
return recent
