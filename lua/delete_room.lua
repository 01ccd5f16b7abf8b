#!lua flags=allow-oom
-- delete_room: delete a room, its messages and its members' states.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    made    "1": only a room that a client made, "0": only another, "": any
--
-- Reply      { deleted, left }   deleted: 1 or 0; left: members of a room above the fan-out limit whom sweep_room has yet to tell
-- Publishes  gone, when deleted
-- Cost       commands <= 26 + members * 23, turns <= 16 + 4 * tags + members * (19 + 4 * tags)
--            members: up to the fan-out limit, above it sweep_room tells them
--@include lib/room
--@include lib/sweeping
--@include lib/news
--@include lib/notices
--@plan

local room = load_head(KEYS[1])
if not room then
    return finish({ rev = 0, born = 0, tags = "" }, { 0, 0 })
end
if room.deleted or made_otherwise(room, ARGV[2]) then
    tell_owed(room)
    return finish(room, { 0, redis.call("HLEN", room.key .. ":g") })
end
raise_revision(room)
local members = {}
if room.derived then
    put_aside(room)
else
    members = members_of(room)
end
room.deleted, room.derived, room.size, room.tags, room.newest = true, false, 0, "", ""
redis.call("UNLINK", room.key)
save_head(room)
redis.call("EXPIRE", room.key, HEAD_KEPT_S)
for _, suffix in ipairs({ ":c", ":b", ":j", ":x", ":y", ":e", ":u", ":q", ":i", ":l", ":d", ":h", ":f", ":n" }) do
    redis.call("UNLINK", room.key .. suffix)
end
tell_anew(room, members)
publish("gone", room_of(room.key))
return finish(room, { 1, redis.call("HLEN", room.key .. ":g") })
