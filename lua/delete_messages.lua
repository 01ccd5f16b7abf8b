#!lua flags=allow-oom
-- delete_messages: delete every message before one of them or before a time, or all of them.
-- Cursors stay, also on messages that are gone.
--
-- Key        room
-- Args       app, before, before_ms int
--            before: the first message that stays, "" for none
--            before_ms: Unix ms, when there is no such message: the first that stays is the oldest
--            one that was not sent before then; 0: none. With neither, none stays
--
-- Reply      { count int, more flag, first? }   count: messages that were there; more: so many are
--            older that it has to be called again; first: the first message that stays, "" for none
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN    nothing was written
-- Publishes  deleted "_all" or "_before" with `first`, when count > 0
-- Cost       commands <= 19 + 3 * members + looked / 1000,
--            turns <= 50 + tags + members * max(6, 3 + tags) + 2 * looked + looked / 10
--            members: as in post; looked: messages before a time, 10,000 at once
--@include lib/room
--@include lib/history
--@include lib/updates
--@include lib/notices
--@plan

local LOOKED_AT_ONCE = 10000

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end

-- Place of the first message that stays, nil when `before` is none; and whether there are more.
local function first_to_stay()
    if before == "" and before_ms == 0 then
        return room.seq + 1, false
    end
    local seq = load_message(room, before)
    if seq or before_ms == 0 then
        return seq, false
    end
    return first_since(room, before_ms, LOOKED_AT_ONCE)
end

local seq, more = first_to_stay()
if not seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local first, _, _, _, _, ordinal, kind = message_at(room, seq)
first = first or ""
if seq <= room.floor_seq + 1 then
    push_pending(room)
    return finish(room, { 0, 0, first })
end
local deleted_count = redis.call("ZCOUNT", room.key .. DELETED_SEQS, seq, "+inf") + count_jumped(load_jumps(room), seq)
local count = math.max(seq - 1 - room.floor_seq - (room.deleted_count - deleted_count), 0)
raise_revision(room)
room.floor_seq, room.deleted_count = seq - 1, deleted_count
room.floor = math.max(room.floor, first ~= "" and ordinal - kind % 2 or room.ordinal)
forget_up_to(room.key .. DELETED_SEQS, room.floor_seq)
drop_holes_below_floor(room)
save_head(room)
push_to_attentive(room, room.floor)
if count > 0 then
    publish(room, "deleted", first == "" and "_all" or "_before", first)
end
return finish(room, { count, more and 1 or 0, first })
