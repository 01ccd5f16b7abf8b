#!lua
-- set_profile: set fields of a room's profile. No count depends on them.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2..]  name, JSON, ...
--
-- Reply      1
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room
-- Cost       O(fields)
--@include lib/room
--@include lib/notices

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
for i = 2, #ARGV, 2 do
    redis.call("HSET", room.key .. ":f", ARGV[i], ARGV[i + 1])
end
publish(ARGV[1], { "room", room_of(ARGV[1], room.key) })
return 1
