#!lua flags=allow-oom
-- note_worker: note that a worker runs, and tell which others do.
--
-- KEYS[1]    workers    packed notes by the time of the last sign of life in ms
-- ARGV[1]    life_ms    without a sign for so long a worker is forgotten
-- ARGV[2]    note
--
-- Reply      { note, ... }   of all workers
-- Cost       commands <= 5, turns <= 0
--@include lib/clock

local now = now_ms()
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[1])
redis.call("ZADD", KEYS[1], now, ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[1])
return redis.call("ZRANGE", KEYS[1], 0, -1)
