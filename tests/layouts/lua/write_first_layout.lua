#!lua
-- write_first_layout: write a room as layout 1 had it, for tests. The copies of its members must be up
-- to date, as they were then.
--
-- Key        room
-- Args       none
--
-- Reply      done flag   0: there is no such room, or layout 1 had none like it
-- Cost       commands <= 20, turns <= 1000
--@include lib/messages
--@include lib/members

local room = load_head(key)
if not room or (room.large and not room.derived) or redis.call("HEXISTS", key .. MESSAGE_LOG, JUMPS) == 1 then
    return 0
end
local log, places = {}, {}
for seq = room.oldest, room.seq do
    local message, sender, at_ms, joined, row, ordinal, kind = message_at(room, seq)
    if not message then
        break -- of a deleted room
    elseif row then
        log[seq] = cmsgpack.pack(message, sender, at_ms, joined, row)
    else
        log[seq] = cmsgpack.pack(message, sender, at_ms, joined)
    end
    places[message] = cmsgpack.pack(seq, ordinal, kind)
end
redis.call("UNLINK", key .. MESSAGE_LOG, key .. ATTENTIVE)
for seq, entry in pairs(log) do
    redis.call("HSET", key .. MESSAGE_LOG, seq, entry)
end
for message, place in pairs(places) do
    redis.call("HSET", key .. FIRST_PLACES, message, place)
end

local function write_records(hash)
    local flat = redis.call("HGETALL", hash)
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD and not string.find(flat[i], SEPARATOR, 1, true) then
            local cursor, ordinal, _, read, joined, at, moves, marked, tail = read_record(flat[i + 1])
            local record = struct.pack(">I5I5I5I5I6I4B", cursor, ordinal, read, joined, at, moves, marked) .. tail
            redis.call("HSET", hash, flat[i], record)
        end
    end
end

write_records(key)
write_records(key .. LEAVERS)
local flags = (room.active and 0 or FROZEN_FLAG) + (room.deleted and DELETED_FLAG or 0)
    + (room.derived and DERIVED_FLAG or 0) + (room.by_client and BY_CLIENT_FLAG or 0)
redis.call("HSET", key, HEAD, struct.pack(
    ">I7I7I5I5I4I5I5I5I5BBc0", room.revision, room.created_revision, room.seq, room.ordinal, room.member_count,
    room.floor, room.floor_seq, room.deleted_count, room.top_hole, flags, #room.newest, room.newest
) .. room.tags)
return 1
