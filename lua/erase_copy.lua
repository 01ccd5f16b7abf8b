#!lua flags=allow-oom
-- erase_copy: forget the copy of a room that a user has left, before its time: its name is that of
-- a user who is erased. Their device finds out about it as about others that are forgotten.
--
-- Key        user
-- Args       room
--
-- Reply      done flag   0: they are in the room
-- Cost       commands <= 5, turns <= 0
--@include lib/copies

local packed = redis.call("HGET", key, COPY_OF .. room)
if not packed then
    return 1
end
local _, _, _, state, changed_at = read_copy(packed)
if state ~= GONE then
    return 0
end
redis.call("HDEL", key, COPY_OF .. room)
redis.call("ZREM", key .. LEFT_ROOMS, room)
local version, total, news, derived, forgotten = load_sums(key)
redis.call("HSET", key, SUMS, pack_sums(version, total, news, derived, math.max(forgotten, changed_at)))
return 1
