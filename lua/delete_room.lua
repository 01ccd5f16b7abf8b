#!lua
-- delete_room: delete a room, its messages and its members' states.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    made    "1": only a room that a client made, "0": only another, "": any
--
-- Reply      deleted   1 or 0
-- Publishes  gone, when deleted
-- Cost       O(members) up to the fan-out limit. Above it the members' entries are found stale and dropped when next asked for.
--@include lib/room
--@include lib/news
--@include lib/notices
--@plan

local HEAD_KEPT_S = 24 * 3600 -- so that late news of the room is recognised as old

local room = load_head(KEYS[1])
if not room then
    return finish({ rev = 0, born = 0, tags = "" }, 0)
end
if room.deleted or made_otherwise(room, ARGV[2]) then
    tell_owed(room)
    return finish(room, 0)
end
raise_revision(room)
local members = room.derived and {} or members_of(room)
room.deleted, room.derived, room.size, room.tags, room.newest = true, false, 0, "", ""
redis.call("UNLINK", room.key)
save_head(room)
redis.call("EXPIRE", room.key, HEAD_KEPT_S)
for _, suffix in ipairs({ ":c", ":b", ":j", ":x", ":y", ":e", ":u", ":q", ":i", ":l", ":h", ":f", ":n" }) do
    redis.call("UNLINK", room.key .. suffix)
end
tell_anew(room, members)
publish("gone", room_of(room.key))
return finish(room, 1)
