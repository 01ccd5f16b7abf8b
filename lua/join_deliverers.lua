#!lua flags=allow-oom
-- join_deliverers: be one of the deliverers for a while.
--
-- Key        deliverers
-- Args       holder, lease_ms digits
--            lease_ms: for so long
--
-- Reply      { deliverers int, refusing_target }   how many there are, and the target that wants no
--            more events, "" for none
-- Cost       commands <= 5, turns <= 0
--@include lib/keys
--@include lib/clock

local now = now_ms()
redis.call("ZADD", key, now + lease_ms, holder)
redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
return { redis.call("ZCARD", key), redis.call("GET", key .. REFUSING_TARGET) or "" }
