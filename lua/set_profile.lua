#!lua
-- set_profile: set fields of a room's profile. No count depends on them.
--
-- Key        room
-- Args       app, made, ...profile (name, value)
--            made: "1": only a room that a client made, "0": only another, "": any
--            profile: values in JSON
--
-- Reply      done int   1
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room, when a field changed
-- Cost       commands <= 7 + 2 * fields, turns <= 3 * fields
--@include lib/room
--@include lib/notices

local room = existing_room(key, made)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local changed = false
for i = 1, #profile, 2 do
    local name, value = profile[i], profile[i + 1]
    if redis.call("HGET", room.key .. PROFILE, name) ~= value then
        redis.call("HSET", room.key .. PROFILE, name, value)
        changed = true
    end
end
if changed then
    publish(room, "room")
end
return 1
