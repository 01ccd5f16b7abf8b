#!lua
-- post: append a message; its sender has read it, all other members have one more unread if it is countable.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    sender          "" for none
-- ARGV[3]    message         the backend's id, or "" to make one
-- ARGV[4]    countable       1 or 0
-- ARGV[5]    must_be_member  1: refuse a sender who is not a member
-- ARGV[6]    body            JSON object, published as given, not kept
-- ARGV[7]    limit           fan-out limit in members
-- ARGV[8]    history         messages remembered
-- ARGV[9]    journal         "<moves kept> <ms kept>"
-- ARGV[10]   sent_ms         when it was sent by the sender's clock, 0: now
-- ARGV[11]   made            "1": only into a room that a client made, "0": another, "": any
-- ARGV[12]   by_time         1: in a room of two it does not count when it was sent before the other one had read up to
-- ARGV[13]   move_cursor     0: its sender, if a member, has not read up to it
-- ARGV[14]   as_last         0: it is never the room's last message
-- ARGV[15]   notify          0: nothing is published
--
-- Reply      { message, seq, ordinal, at_ms, created, moved, sender }
--            of a message that was there: what is stored; moved: counters of members that it moved, two and one for each tag
-- Errors     ROOM_UNKNOWN, NOT_MEMBER    nothing was written
-- Publishes  message, then read when the sender's cursor moved
-- Cost       commands <= 20 + 3 * members + 7 * left + forgotten,
--            turns <= 24 + tags + members * max(6, 3 + tags) + 3 * left + forgotten
--            members: up to the fan-out limit, above it none is told; left, forgotten: stays of
--            former members and messages beyond what is remembered, every 64 posts. The first post
--            after the limit was set otherwise may tell all members of it: 13 commands for each
--@include lib/room
--@include lib/news
--@include lib/notices
--@include lib/crossing
--@include lib/tags
--@include lib/history
--@include lib/hidden
--@include lib/until
--@plan

local TRIM_EVERY = 64 -- posts
local LATE_MS = 60 * 1000 -- what was sent longer ago is told late: when its sender read what came before is not known to the moment

local room, record = load_head_and_record(KEYS[1], ARGV[2])
if not room or room.deleted or made_otherwise(room, ARGV[11]) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local sender, message, countable = ARGV[2], ARGV[3], tonumber(ARGV[4])
local cursor, _, _, joined, at, moves, marked, tail = read_record(record)
if not cursor and ARGV[5] == "1" then
    return redis.error_reply(NOT_MEMBER)
end
if message ~= "" then
    local seq, ord = load_message(room, message)
    if seq then
        tell_owed(room)
        local _, stored, at_ms = message_at(room, seq)
        return finish(room, { message, seq, ord, at_ms, 0, 0, stored })
    end
end

local sent_ms = tonumber(ARGV[10])
if ARGV[12] == "1" and sent_ms > 0 and room.size <= 2 and was_read_before(room, sender, sent_ms) then
    countable = 0
end
raise_revision(room)
room.seq = room.seq + 1
room.ord = room.ord + countable
local at_ms = sent_ms > 0 and sent_ms or math.floor(room.rev / 1000)
if message == "" then
    message = make_message_id(room, math.floor(room.rev / 1000))
end
room.newest = message
remember(room, message, sender, at_ms, countable, joined or -1)
if room.seq % TRIM_EVERY == 0 then
    trim_history(room, tonumber(ARGV[8]))
end
if ARGV[14] == "0" then
    hide(room, room.seq)
end
local crossed = cross_if_due(room, tonumber(ARGV[7]))
local reads = cursor and ARGV[13] == "1"
if not reads then
    save_head(room)
else
    local late = sent_ms > 0 and sent_ms < math.floor(room.rev / 1000) - LATE_MS
    at, moves, tail = note_move(room, sender, cursor, room.seq, at, moves, tail, ARGV[9], late)
    if marked == 1 then
        redis.call("HDEL", room.key .. ":u", sender)
    end
    save_member(room, sender, room.seq, room.ord, room.seq, joined, at, moves, 0, tail)
end
local moved = 0
if crossed or (countable == 1 and not room.derived) then
    tell_members(room)
    moved = room.size * (2 + count_tags(room.tags))
elseif reads then
    tell_member(room, sender, room.seq, room.ord)
end
if ARGV[15] == "1" then
    local id = room_of(room.key)
    publish("message", id, message, sender, at_ms, room.seq, "new", ARGV[6])
    if reads then
        publish_packed(read_notice(id, sender, message, room.seq))
    end
end
return finish(room, { message, room.seq, room.ord, at_ms, 1, moved, sender })
