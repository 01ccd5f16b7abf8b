#!lua
-- mark_unread: remember that a member wants to see the room as unread from a message on. No cursor
-- and no count changes.
--
-- Key        room
-- Args       app, user, message, settings
--            message: "" for the newest that is there
--
-- Reply      done int   1
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, MESSAGE_UNKNOWN    nothing was written
-- Cost       commands <= 18, turns <= 15 + tags
--@include lib/room
--@include lib/members
--@include lib/hidden
--@include lib/marks
--@include lib/updates
--@plan

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local member = load_member(room, user)
if not member then
    return redis.error_reply(NOT_MEMBER)
end
local seq, _, kind = load_message(room, message ~= "" and message or last_message(room)[1] or "")
if not seq or is_deleted(room, seq, kind) then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
if member.marked == 1 and mark_of(room, user) == seq then
    push_pending(room)
    return finish(room, 1)
end
raise_revision(room)
set_mark(room, user, seq)
member.marked = 1
member.attentive_until = attend(room, user, member.attentive_until, settings)
save_member(room, member)
push_to_member(room, user, member.cursor, member.ordinal, member.attentive_until)
return finish(room, 1)
