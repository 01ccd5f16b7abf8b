#!lua
-- delete_room: delete a room, its messages and its members' states.
--
-- KEYS[1]    room
-- ARGV[1]    app
--
-- Reply      deleted   1 or 0
-- Publishes  gone, when deleted
-- Cost       O(members) up to the fan-out limit. Above it the members' entries are found stale and dropped when next asked for.
--@include lib/room
--@include lib/news
--@include lib/notices
--@plan

local HEAD_KEPT_S = 24 * 3600

local room = load_head(KEYS[1])
if not room then
    return begin(ARGV[1], { key = KEYS[1], rev = 0, born = 0, tags = "" }).finish(0)
end
local app = ARGV[1]
local plan = begin(app, room)
if room.deleted then
    plan.tell_owed()
    return plan.finish(0)
end
raise_revision(room)
local members = room.derived and {} or redis.call("HKEYS", room.key .. ":p")
room.deleted, room.tags = true, ""
redis.call("HSET", room.key, "rev", room.rev, "status", -1, "size", 0, "derived", 0, "tags", "")
redis.call("EXPIRE", room.key, HEAD_KEPT_S)
for _, suffix in ipairs({ ":p", ":c", ":i", ":l", ":h", ":f" }) do
    redis.call("UNLINK", room.key .. suffix)
end
tell_anew(plan, room, members)
publish(app, { "gone", room_of(app, room.key) })
return plan.finish(1)
