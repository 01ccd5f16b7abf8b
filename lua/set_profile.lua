#!lua
-- set_profile: set fields of a room's profile. No count depends on them.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    made    "1": only a room that a client made, "0": only another, "": any
-- ARGV[3..]  name, JSON, ...
--
-- Reply      1
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room, when a field changed
-- Cost       commands <= 4 + 2 * fields, turns <= fields
--@include lib/room
--@include lib/notices

local room = load_head(KEYS[1])
if not room or room.deleted or made_otherwise(room, ARGV[2]) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local changed = false
for i = 3, #ARGV, 2 do
    if redis.call("HGET", room.key .. ":f", ARGV[i]) ~= ARGV[i + 1] then
        redis.call("HSET", room.key .. ":f", ARGV[i], ARGV[i + 1])
        changed = true
    end
end
if changed then
    publish("room", room_of(room.key))
end
return 1
