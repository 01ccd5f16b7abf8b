#!lua
-- delete_all_messages: empty a room; nothing of it is unread for anybody. Cursors stay.
--
-- KEYS[1]    room
-- ARGV[1]    app
--
-- Reply      count   messages that were there
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  deleted "_all", when count > 0
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
local count = room.seq - room.floor_seq - room.dead
if count == 0 then
    plan.tell_owed()
    return plan.finish(0)
end
raise_revision(room)
room.floor, room.floor_seq, room.dead, room.top_hole = room.ord, room.seq, 0, 0
redis.call("UNLINK", room.key .. ":h")
redis.call(
    "HSET", room.key, "rev", room.rev, "floor", room.floor, "floor_seq", room.floor_seq, "dead", 0, "top_hole", 0
)
if not room.derived then
    tell_members(plan, room)
end
publish(app, { "deleted", room_of(app, room.key), "_all" })
return plan.finish(count)
