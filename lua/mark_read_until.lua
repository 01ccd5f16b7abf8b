#!lua
-- mark_read_until: move one member's cursor forward to the newest message of a time or earlier.
--
-- Key        room
-- Args       app, user, until_ms int, settings, shard, with_badge flag
--            until_ms: 0: now, and so the newest message of all
--            settings: as in lib/settings.lua
--            shard: of the events, "" when none are wanted
--
-- Reply      { message, seq int, moved flag, unread int, badge int? }
--            as mark_read; message "" and seq 0 when there is no such message
-- Errors     ROOM_UNKNOWN, NOT_MEMBER    nothing was written
-- Publishes  as mark_read
-- Cost       commands <= 23 + newer / 16 + 27 * visited,
--            turns <= 40 + 2 * newer + tags + visited * (10 + 12 * tags)
--            newer: messages of a later time; none without a time; visited: as in mark_read
--@include lib/room
--@include lib/reading
--@include lib/until
--@include lib/clock
--@plan

local room, record = load_head_and_record(key, user)
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
if not record then
    return redis.error_reply(NOT_MEMBER)
end
note_until(room, user, until_ms > 0 and until_ms or now_ms())
local seq = room.seq
local message, _, at_ms, _, _, ordinal = message_at(room, seq)
if message and until_ms > 0 and at_ms > until_ms then
    seq = newest_until(room, until_ms, seq)
    message, _, _, _, _, ordinal = message_at(room, seq)
end
if not message then
    push_pending(room)
    local _, counted_from = read_record(record)
    return finish(room, { "", 0, 0, unread_after(room, counted_from), false })
end
return finish(room, read_up_to(room, user, record, message, seq, ordinal, settings, shard, with_badge))
