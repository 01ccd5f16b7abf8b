#!lua
-- set_status: freeze or thaw a room. Frozen, it is in no badge; its cursors still move.
--
-- Key        room
-- Args       app, active flag, made
--            made: "1": only a room that a client made, "0": only another, "": any
--
-- Reply      changed flag
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room, when changed
-- Cost       commands <= 9 + members * 13, turns <= 4 + 6 * tags + members * (5 + 4 * tags)
--            members: as in post
--@include lib/room
--@include lib/changing
--@plan

local room = existing_room(key, made)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local changed = room.active ~= active
if changed then
    raise_revision(room)
    room.active = active
    announce_change(room)
end
return finish_change(room, changed)
