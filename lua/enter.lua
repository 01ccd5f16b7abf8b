#!lua flags=allow-oom
-- enter: put members into a sorted set. For what must be noted although the memory is full: that a room may
-- owe news.
--
-- KEYS[1]    sorted set
-- ARGV[1..]  score and member, in turn
--
-- Reply      how many were not in it
-- Cost       commands <= 1, turns <= 0

return redis.call("ZADD", KEYS[1], unpack(ARGV))
