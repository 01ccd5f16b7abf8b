#!lua flags=allow-oom
-- delete_messages: delete every message before one of them or before a time, or all of them. Cursors
-- stay, also on messages that are gone.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    before     the first message that stays, "" for none
-- ARGV[3]    before_ms  Unix ms, when there is no such message: the first that stays is the oldest one
--                       that was not sent before then; 0: none. With neither, none stays
--
-- Reply      { count, more, first }   count: messages that were there; more: 1 when so many are older
--            that it has to be called again; first: the first message that stays, "" for none
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN    nothing was written
-- Publishes  deleted "_all" or "_before" with `first`, when count > 0
-- Cost       commands <= 14 + 3 * members + looked / 1000,
--            turns <= 4 + tags + members * max(5, 2 + tags) + 2 * looked
--            members: up to the fan-out limit, above it none is told; looked: messages before a time,
--            10,000 at once
--@include lib/forgetting
--@include lib/history
--@include lib/news
--@include lib/notices
--@plan

local LOOKED_AT_ONCE = 10000

-- Place of the first message that stays, nil when `before` is none; and whether there are more.
local function first_to_stay(room, before, before_ms)
    if before == "" and before_ms == 0 then
        return room.seq + 1, false
    end
    local seq = load_message(room, before)
    if seq or before_ms == 0 then
        return seq, false
    end
    return first_since(room, before_ms, LOOKED_AT_ONCE)
end

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, more = first_to_stay(room, ARGV[2], tonumber(ARGV[3]))
if not seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local first = message_at(room, seq) or ""
if seq <= room.floor_seq + 1 then
    tell_owed(room)
    return finish(room, { 0, 0, first })
end
local ord, kind = room.ord, 0
if first ~= "" then
    local _
    _, ord, kind = load_message(room, first)
end
local dead = redis.call("ZCOUNT", room.key .. ":d", seq, "+inf")
local count = math.max(seq - 1 - room.floor_seq - (room.dead - dead), 0)
raise_revision(room)
room.floor_seq, room.floor, room.dead = seq - 1, math.max(room.floor, ord - kind % 2), dead
forget_up_to(room.key .. ":d", room.floor_seq)
forget_up_to(room.key .. ":h", room.floor)
if room.top_hole <= room.floor then
    room.top_hole = 0
end
save_head(room)
if not room.derived then
    tell_members(room, room.floor)
end
if count > 0 then
    publish("deleted", room_of(room.key), first == "" and "_all" or "_before", first)
end
return finish(room, { count, more and 1 or 0, first })
