#!lua
-- set_status: freeze or thaw a room. Frozen, it is in nobody's badge; its cursors still move.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    status    1 active, 0 frozen
-- ARGV[3]    made      "1": only a room that a client made, "0": only another, "": any
--
-- Reply      changed   1 or 0
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  room, when changed
-- Cost       commands <= 6 + members * 13, turns <= 4 + 6 * tags + members * (5 + 4 * tags)
--            members: up to the fan-out limit, above it none is told
--@include lib/room
--@include lib/news
--@include lib/notices
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted or made_otherwise(room, ARGV[3]) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local active = ARGV[2] == "1"
local changed = room.active ~= active
if changed then
    raise_revision(room)
    room.active = active
    save_head(room)
    if not room.derived then
        tell_members(room)
    end
    publish("room", room_of(room.key))
else
    tell_owed(room)
end
return finish(room, changed and 1 or 0)
