#!lua flags=no-writes
-- revocations: which tokens were revoked at a position or later.
--
-- KEYS[1]    revocations
-- ARGV[1]    since
--
-- Reply      { now in Unix s, newest position or 0, { packed (user, token id, Unix s of its end), ... } }
-- Cost       commands <= 3, turns <= 0
--@include lib/clock

local newest = redis.call("ZRANGE", KEYS[1], -1, -1, "WITHSCORES")[2]
return { math.floor(now_ms() / 1000), tonumber(newest or 0), redis.call("ZRANGE", KEYS[1], ARGV[1], "+inf", "BYSCORE") }
