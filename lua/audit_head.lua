#!lua
-- audit_head: a room's own sums: the number of members and the highest hole; mended when asked to.
--
-- Key        room
-- Args       repair flag
--
-- Reply      { compared int, differences [name, stored, expected] }   how many sums were compared
--            (0 for a room that does not exist), and those that differ, values as digits
-- Cost       commands <= 4, turns <= 8
--@include lib/room
--@include lib/arrays

local room = existing_room(key)
if not room then
    return { 0, {} }
end
local compared, differences = 0, {}

local function compare(name, field, expected)
    compared = compared + 1
    local stored = room[field]
    if stored ~= expected then
        append(differences, name, string.format("%.0f", stored), string.format("%.0f", expected))
        if repair then
            room[field] = expected
            save_head(room)
        end
    end
end

compare("size", "member_count", redis.call("HLEN", room.key) - 1)
local top = highest_hole(room)
if top then
    compare("top_hole", "top_hole", top)
end
return { compared, differences }
