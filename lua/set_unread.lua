#!lua
-- set_unread: make a member's unread a given number, or as many as there are messages remembered.
-- The cursor stays, and so do receipts.
--
-- Key        room
-- Args       app, user, count int, settings
--
-- Reply      unread int   what it is now
-- Errors     ROOM_UNKNOWN, NOT_MEMBER    nothing was written
-- Publishes  counts, when it changes
-- Cost       commands <= 17 + log(messages), turns <= 8 + tags + log(messages)
--            messages: as many as are remembered
--@include lib/room
--@include lib/updates
--@include lib/notices
--@include lib/history
--@include lib/set_counts
--@plan

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local member = load_member(room, user)
if not member then
    return redis.error_reply(NOT_MEMBER)
end
local before = member.ordinal
if unread_after(room, before) == count then
    push_pending(room)
    return finish(room, count)
end
-- The highest ordinal after which `count` are counted, whatever holes there are.
local low = math.max(room.floor, ordinal_before_history(room))
local high = math.max(low, room.ordinal - count)
while low < high do
    local middle = math.ceil((low + high) / 2)
    if unread_after(room, middle) >= count then
        low = middle
    else
        high = middle - 1
    end
end
raise_revision(room)
member.ordinal = low
member.attentive_until = attend(room, user, member.attentive_until, settings)
save_member(room, member)
note_set_count(room, before, low)
push_to_member(room, user, member.cursor, low, member.attentive_until)
publish(room, "counts")
return finish(room, unread_after(room, low))
