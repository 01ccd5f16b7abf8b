#!lua flags=no-writes
-- room_summary: what choosing among the rooms of a user needs of one of them.
--
-- Key        room
-- Args       user, with_tags flag, with_last_read flag, ...fields
--            fields: of the profile that are wanted
--
-- Reply      { active flag, created_ms int, last { message, seq int, sender?, at_ms int }?,
--              unread int, moved_ms int, has_read flag, marked_ms int, tags tagset,
--              profile [bytes?], last_read? }?
--            none when there is no such room, or the user is no member of it
--            last: the newest message that is still there; profile: JSON in the order of `fields`;
--            last_read: message id, or "" without a real read
-- Cost       commands <= 11, turns <= 4 + fields
--@include lib/room
--@include lib/members
--@include lib/hidden
--@include lib/marks

local room, record = load_head_and_record(key, user)
if not room or room.deleted or not record then
    return {}
end
local member = read_member(user, record)
local profile = {}
if #fields > 0 then
    profile = redis.call("HMGET", room.key .. PROFILE, unpack(fields))
end
return {
    room.active and 1 or 0,
    created_ms_of(room),
    last_message(room),
    unread_after(room, member.ordinal),
    created_ms_of(room) + member.at,
    member.read > 0 and 1 or 0,
    marked_since(room, user, member.marked),
    with_tags and room.tags or "",
    profile,
    with_last_read and message_at(room, member.read) or "",
}
