#!lua flags=allow-oom
-- delete_all_messages: empty a room; nothing of it is unread for anybody. Cursors stay.
--
-- KEYS[1]    room
-- ARGV[1]    app
--
-- Reply      count   messages that were there
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  deleted "_all", when count > 0
-- Cost       commands <= 8 + 2 * members, turns <= 4 + tags + members * max(5, 2 + tags)
--            members: up to the fan-out limit, above it none is told
--@include lib/room
--@include lib/news
--@include lib/notices
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local count = room.seq - room.floor_seq - room.dead
if count == 0 then
    tell_owed(room)
    return finish(room, 0)
end
raise_revision(room)
room.floor, room.floor_seq, room.dead, room.top_hole = room.ord, room.seq, 0, 0
redis.call("UNLINK", room.key .. ":h")
save_head(room)
if not room.derived then
    tell_members(room)
end
publish("deleted", room_of(room.key), "_all")
return finish(room, count)
