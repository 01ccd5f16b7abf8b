#!lua flags=no-writes
-- revocations: which tokens were revoked at a position or later.
--
-- Key        revocations
-- Args       since digits
--
-- Reply      { now_s int, newest int, entries [bytes] }   newest: position, 0 for none
--            entries: packed (user, token id, Unix s of its end)
-- Cost       commands <= 3, turns <= 0
--@include lib/clock

local newest = redis.call("ZRANGE", key, -1, -1, "WITHSCORES")[2]
return { math.floor(now_ms() / 1000), tonumber(newest or 0), redis.call("ZRANGE", key, since, "+inf", "BYSCORE") }
