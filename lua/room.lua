#!lua flags=no-writes
-- room: one room as one user sees it.
--
-- Key        room
-- Args       user
--            user: "" for none
--
-- Reply      { active flag, tags tagset, created_ms int, seq int, member_count int,
--              profile [name, value bytes], last { message, seq int, sender?, at_ms int }?,
--              me { cursor int, unread int, last_read?, moved_ms int, has_read flag, marked_ms int,
--              joined int }?, invited flag, by_client flag }
--            profile: values in JSON; last_read: message id, or "" without a real read
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 12, turns <= 6
--@include lib/room
--@include lib/members
--@include lib/hidden
--@include lib/marks

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local me, invited = {}, 0
local member = load_member(room, user)
if member then
    me = {
        member.cursor,
        unread_after(room, member.ordinal),
        message_at(room, member.read) or "",
        created_ms_of(room) + member.at,
        member.read > 0 and 1 or 0,
        marked_since(room, user, member.marked),
        member.joined,
    }
else
    invited = redis.call("SISMEMBER", room.key .. INVITED, user)
end
return {
    room.active and 1 or 0,
    room.tags,
    created_ms_of(room),
    room.seq,
    room.member_count,
    redis.call("HGETALL", room.key .. PROFILE),
    last_message(room),
    me,
    invited,
    room.by_client and 1 or 0,
}
