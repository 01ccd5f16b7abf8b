#!lua
-- set_tags: replace a room's tags; every member's per-tag counters follow.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    tags      canonical tag set
-- ARGV[3]    limit     fan-out limit in members; a room with more tags passes it sooner
-- ARGV[4]    made      "1": only a room that a client made, "0": only another, "": any
--
-- Reply      changed   1 or 0
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room, when changed
-- Cost       commands <= 10 + members * 20, turns <= 10 + 6 * tags + members * (6 + 7 * tags)
--            members: up to the fan-out limit, above it none is told
--@include lib/room
--@include lib/news
--@include lib/crossing
--@include lib/notices
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted or made_otherwise(room, ARGV[4]) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local changed = room.tags ~= ARGV[2]
if changed then
    raise_revision(room)
    room.tags = ARGV[2]
    local crossed = cross_if_due(room, tonumber(ARGV[3]))
    save_head(room)
    if crossed or not room.derived then
        tell_members(room)
    end
    publish("room", room_of(room.key))
else
    tell_owed(room)
end
return finish(room, changed and 1 or 0)
