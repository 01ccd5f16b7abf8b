#!lua
-- remove_members: let users out of a room; it leaves their badges in the same step.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    limit     fan-out limit in members
-- ARGV[3..]  members
--
-- Reply      those who were members
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  left, then room, when somebody left
-- Cost       O(members)
--@include lib/room
--@include lib/news
--@include lib/crossing
--@include lib/notices
--@plan

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
local app = ARGV[1]
local plan = begin(app, room)
local left = {}
for i = 3, #ARGV do
    if redis.call("HDEL", room.key .. ":p", ARGV[i]) == 1 then
        redis.call("ZREM", room.key .. ":c", ARGV[i])
        left[#left + 1] = ARGV[i]
    end
end
if #left > 0 then
    raise_revision(room)
    room.size = room.size - #left
    redis.call("HSET", room.key, "rev", room.rev, "size", room.size)
    tell_anew(plan, room, left)
    if cross_if_due(room, tonumber(ARGV[2])) then
        tell_members(plan, room)
    end
    local id = room_of(app, room.key)
    publish(app, { "left", id, left })
    publish(app, { "room", id })
end
plan.tell_owed()
return plan.finish(left)
