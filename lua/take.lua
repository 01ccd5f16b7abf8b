#!lua flags=allow-oom
-- take: count one call in a window of time.
--
-- KEYS[1]    window
-- ARGV[1]    window_ms
--
-- Reply      { calls in this window, ms until it ends }
-- Cost       commands <= 3, turns <= 0

local calls = redis.call("INCR", KEYS[1])
if calls == 1 then
    redis.call("PEXPIRE", KEYS[1], ARGV[1])
end
return { calls, redis.call("PTTL", KEYS[1]) }
