#!lua
-- set_tags: replace a room's tags; every member's per-tag counters follow.
--
-- Key        room
-- Args       app, tags tagset, settings, made
--            made: "1": only a room that a client made, "0": only another, "": any
--
-- Reply      changed flag
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room, when changed
-- Cost       commands <= 13 + members * 24, turns <= 10 + 6 * tags + members * (6 + 7 * tags)
--            members: as in post
--@include lib/room
--@include lib/crossing
--@include lib/changing
--@plan

local room = existing_room(key, made)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local changed = room.tags ~= tags
if changed then
    raise_revision(room)
    room.tags = tags
    local crossed = cross_if_due(room, settings)
    announce_change(room, crossed)
end
return finish_change(room, changed)
