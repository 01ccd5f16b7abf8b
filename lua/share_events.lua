#!lua flags=allow-oom
-- share_events: be one of the deliverers for a while.
--
-- KEYS[1]    deliverers
-- ARGV[1]    holder
-- ARGV[2]    lease_ms   for so long
--
-- Reply      { deliverers there are, target that wants no more events, "" for none }
-- Cost       commands <= 5, turns <= 0
--@include lib/events

local now = now_ms()
redis.call("ZADD", KEYS[1], now + ARGV[2], ARGV[1])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
return { redis.call("ZCARD", KEYS[1]), redis.call("GET", KEYS[1] .. ":g") or "" }
