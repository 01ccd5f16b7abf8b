#!lua
-- audit_head: a room's own sums: the number of members and the highest hole; mended when asked to.
--
-- KEYS[1]    room
-- ARGV[1]    repair   1 or 0
--
-- Reply      { compared, name, stored, expected, ... }   how many sums were compared (0 for a room that does not exist), and those
--                                                        that differ, values as strings
-- Cost       commands <= 4, turns <= 8
--@include lib/room

local room = load_head(KEYS[1])
if not room or room.deleted then
    return { 0 }
end
local top = redis.call("ZREVRANGE", room.key .. ":h", 0, 0)[1]
local reply = { 0 }
local function compare(name, stored, expected)
    reply[1] = reply[1] + 1
    if stored ~= expected then
        for _, item in ipairs({ name, string.format("%.0f", stored), string.format("%.0f", expected) }) do
            reply[#reply + 1] = item
        end
        if ARGV[1] == "1" then
            room[name] = expected
            save_head(room)
        end
    end
end
compare("size", room.size, redis.call("HLEN", room.key) - 1)
if top then
    compare("top_hole", room.top_hole, tonumber(top))
end
return reply
