#!lua
-- set_tags: replace a room's tags; every member's per-tag counters follow.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    tags    canonical tag set
--
-- Reply      changed   1 or 0
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room, when changed
-- Cost       O(members) up to the fan-out limit, O(1) above
--@include lib/room
--@include lib/news
--@include lib/notices
--@plan

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
local app = ARGV[1]
local plan = begin(app, room)
local changed = room.tags ~= ARGV[2]
if changed then
    raise_revision(room)
    room.tags = ARGV[2]
    redis.call("HSET", room.key, "rev", room.rev, "tags", room.tags)
    if not room.derived then
        tell_members(plan, room)
    end
    publish(app, { "room", room_of(app, room.key) })
end
plan.tell_owed()
return plan.finish(changed and 1 or 0)
