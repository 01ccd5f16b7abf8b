#!lua flags=allow-oom
-- add_to_sorted_set: put members into a sorted set. For what must be noted although the memory is
-- full: that updates of a room may be pending.
--
-- Key        sorted set
-- Args       ...entries (score, member)
--
-- Reply      added int   how many were not in it
-- Cost       commands <= 1, turns <= 0

return redis.call("ZADD", key, unpack(entries))
