#!lua flags=no-writes
-- room_summary: what choosing among the rooms of a user needs of one of them.
--
-- Key        room
-- Args       app, user, with_tags flag, with_last_read flag, ...fields
--            fields: of the profile that are wanted
--
-- Reply      { room, status flag, created_ms int, last { message, seq int, sender?, at_ms int }?,
--              tags tagset, profile [name, value bytes], me { member, cursor int, unread int,
--              last_read?, moved_ms int, has_read flag, marked_ms int?, joined int } }?
--            none when there is no such room, or the user is no member of it
--            last: the newest message that is still there; profile: values in JSON;
--            last_read: message id, or "" without a real read
-- Cost       commands <= 11, turns <= 4 + 2 * fields
--@include lib/reach
--@include lib/room
--@include lib/hidden
--@include lib/views

local room, record = load_head_and_record(key, user)
if not room or room.deleted or not record then
    return {}
end
local profile = {}
for i, value in ipairs(#fields > 0 and redis.call("HMGET", room.key .. PROFILE, unpack(fields)) or {}) do
    if value then
        profile[#profile + 1], profile[#profile + 2] = fields[i], value
    end
end
return {
    room_id(key),
    room.active and 1 or 0,
    created_ms_of(room),
    last_message(room),
    with_tags and room.tags or "",
    profile,
    member_view(room, read_member(user, record), with_last_read),
}
