#!lua flags=no-writes
-- export_room: what an export says of a room beside its messages and members.
--
-- Key        room
-- Args       none
--
-- Reply      { created_ms int, tags tagset, profile [name, value bytes], active flag,
--              by_client flag, seq int, ordinal int, oldest int, floor_seq int, floor int,
--              deleted int, invited [user] }
--            oldest: seq of the oldest message that is remembered
--            deleted: places after floor_seq without a message, of those before oldest
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 5, turns <= 4
--@include lib/history

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local from = string.format("(%.0f", room.floor_seq)
local remembered = redis.call("ZCOUNT", key .. DELETED_SEQS, from, "+inf")
    + count_jumped(load_jumps(room), room.floor_seq + 1)
return {
    created_ms_of(room), room.tags, redis.call("HGETALL", key .. PROFILE), room.active and 1 or 0,
    room.by_client and 1 or 0, room.seq, room.ordinal, room.oldest, room.floor_seq, room.floor,
    math.max(room.deleted_count - remembered, 0), redis.call("SMEMBERS", key .. INVITED),
}
