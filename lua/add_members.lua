#!lua
-- add_members: let users into a room; each starts at the head.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    limit     fan-out limit in members
-- ARGV[3..]  members
--
-- Reply      those who were not members before
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  joined, then room, when somebody joined
-- Cost       O(members)
--@include lib/room
--@include lib/membership
--@plan

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
local plan = begin(ARGV[1], room)
local joined = add_members(plan, room, 3, tonumber(ARGV[2]))
announce_joined(ARGV[1], room, joined)
plan.tell_owed()
return plan.finish(joined)
