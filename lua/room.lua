#!lua flags=no-writes
-- room: one room as one user sees it.
--
-- Key        room
-- Args       app, user
--            user: "" for none
--
-- Reply      { room, status flag, tags tagset, profile [name, value bytes], created_ms int,
--              seq int, member_count int, last { message, seq int, sender?, at_ms int }?,
--              me { member, cursor int, unread int, last_read?, moved_ms int, has_read flag,
--              marked_ms int?, joined int }?, invited flag, by_client flag }
--            profile: values in JSON; last_read: message id, or "" without a real read
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 12, turns <= 6
--@include lib/reach
--@include lib/room
--@include lib/hidden
--@include lib/views

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local me, invited = {}, 0
local member = load_member(room, user)
if member then
    me = member_view(room, member, true)
else
    invited = redis.call("SISMEMBER", room.key .. INVITED, user)
end
return {
    room_id(key),
    room.active and 1 or 0,
    room.tags,
    redis.call("HGETALL", room.key .. PROFILE),
    created_ms_of(room),
    room.seq,
    room.member_count,
    last_message(room),
    me,
    invited,
    room.by_client and 1 or 0,
}
