#!lua
-- post: append a message; its sender has read it, all other members have one more unread if it is
-- countable.
--
-- Key        room
-- Args       app, sender, message, countable int, must_be_member flag, body, settings,
--            sent_ms int, made, by_time flag, sender_reads flag, as_last flag, notify flag
--            sender: "" for none; message: the backend's id, or "" to make one
--            countable: 1 or 0; must_be_member: refuse a sender who is not a member
--            body: JSON object, published as given, not kept
--            settings: as in lib/settings.lua
--            sent_ms: when it was sent by the sender's clock, 0: now
--            made: "1": only into a room that a client made, "0": another, "": any
--            by_time: in a room of two it does not count when it was sent before the other one had
--            read up to; without sender_reads its sender, if a member, has not read up to it;
--            without as_last it is never the room's last message; without notify only `counts`
--            is published
--
-- Reply      { message, seq int, ordinal int, at_ms int, created flag, moved int, sender? }
--            of a message that was there: what is stored
--            moved: counters of members that it moved, two and one for each tag, and lists
-- Errors     ROOM_UNKNOWN, NOT_MEMBER    nothing was written
-- Publishes  message, then read when the sender's cursor moved
-- Cost       commands <= 39 + 3 * members + 7 * left + forgotten + sampled / 20,
--            turns <= 300 + tags + members * max(6, 3 + tags) + 3 * left + forgotten + sampled
--            members: those who were attentive, of a small room all; above the fan-out limit none
--            is updated; left, forgotten: stays of former members and messages beyond what is
--            remembered, every 64 posts; sampled: of a derived room, members looked at whether they
--            are still attentive, 1,024 at most. The post with which a room becomes derived updates
--            all attentive members, with 13 commands for each
--@include lib/room
--@include lib/updates
--@include lib/notices
--@include lib/crossing
--@include lib/tags
--@include lib/history
--@include lib/hidden
--@include lib/marks
--@include lib/until
--@include lib/terms
--@plan

local TRIM_EVERY = 64 -- posts
-- A message sent longer ago is late: when its sender read the earlier ones is not known exactly.
local LATE_MS = 60 * 1000

-- 1. What is refused, and what was there already.
local room, record = load_head_and_record(key, sender)
if not room or room.deleted or made_otherwise(room, made) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local cursor, _, attentive_until, _, joined, at, moves, marked, tail = read_record(record)
if not cursor and must_be_member then
    return redis.error_reply(NOT_MEMBER)
end
local locator
if message ~= "" then
    locator = locator_of(room, message, room.seq + 1)
    local seq, ordinal, _, chunk = find_message(room, locator)
    if seq then
        push_pending(room)
        local _, stored, at_ms = read_entry(room, chunk, seq)
        return finish(room, { message, seq, ordinal, at_ms, 0, 0, stored })
    end
end

-- 2. The message takes its place.
if by_time and sent_ms > 0 and room.member_count <= 2 and was_read_before(room, sender, sent_ms) then
    countable = 0
end
raise_revision(room)
if jump_if_due(room) and locator then
    locator.chunk, locator.senders = false, false
end
index_if_due(room, settings) -- before the ordinal rises, so that all whose attention ends now are noted
room.seq = room.seq + 1
room.ordinal = room.ordinal + countable
local posted_ms = math.floor(room.revision / 1000)
local at_ms = sent_ms > 0 and sent_ms or posted_ms
if message == "" then
    message, locator = make_message_id(room, posted_ms)
end
room.newest = message
append_message(room, locator, room.seq, room.ordinal, countable * COUNTABLE, sender, at_ms, joined or -1)
if room.seq % TRIM_EVERY == 0 then
    trim_history(room, parse_settings(settings).messages)
end
if not as_last then
    hide(room, room.seq)
end
local crossed = false
if countable == 1 then
    cross_back_if_due(room, settings)
    crossed = cross_if_due(room, settings)
end

-- 3. Its sender has read up to it.
local reads, renewed = cursor and sender_reads, nil
if not reads then
    save_head(room)
else
    local late = sent_ms > 0 and sent_ms < posted_ms - LATE_MS
    at, moves, tail = note_move(room, sender, cursor, room.seq, at, moves, tail, settings, late)
    if marked == 1 then
        clear_mark(room, sender)
    end
    renewed = room.ordinal - countable >= attentive_until and sender
    attentive_until = attend(room, sender, attentive_until, settings)
    save_record(room, sender, room.seq, room.ordinal, attentive_until, room.seq, joined, at, moves, 0, tail)
end

-- 4. The members and the world hear of it.
local moved, is_told = 0, false
if crossed or (countable == 1 and not room.derived) then
    local told, ended = push_post(room, renewed)
    moved = told * (2 + count_tags(room.tags)) + ended
    is_told = reads and room.ordinal < attentive_until
end
if reads and not is_told then
    push_to_member(room, sender, room.seq, room.ordinal, attentive_until)
end
if notify then
    publish(room, "message", message, sender, at_ms, room.seq, "new", body)
    if reads then
        publish_packed(room, read_notice(room_id(room.key), sender, message, room.seq))
    end
else
    publish(room, "counts")
end
return finish(room, { message, room.seq, room.ordinal, at_ms, 1, moved, sender })
