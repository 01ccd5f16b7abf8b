#!lua
-- mark_read: move one member's cursor forward to a message.
--
-- Key        room
-- Args       app, user, message, settings, shard, with_badge flag
--            settings: as in lib/settings.lua
--            shard: of the events, "" when none are wanted
--
-- Reply      { message, seq int, moved flag, unread int, badge int? }
--            badge: the user's, none when the script does not know it
--            moved: the cursor moved, or only a count or mark that had been set by hand
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, MESSAGE_UNKNOWN    nothing was written
-- Publishes  read, when moved; and the event
-- Cost       commands <= 23 + 27 * visited, turns <= 6 + tags + visited * (10 + 12 * tags)
--            however many members and messages there are. visited: with_badge, the user's other
--            rooms with news, as in badge
--@include lib/room
--@include lib/reading
--@plan

local room, record = load_head_and_record(key, user)
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, ordinal = place_of(room, message)
if not (seq and record) then
    return redis.error_reply(record and MESSAGE_UNKNOWN or NOT_MEMBER)
end
return finish(room, read_up_to(room, user, record, message, seq, ordinal, settings, shard, with_badge))
