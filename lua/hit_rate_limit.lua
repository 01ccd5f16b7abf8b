#!lua flags=allow-oom
-- hit_rate_limit: count one call in a window of time.
--
-- Key        window
-- Args       window_ms digits
--
-- Reply      { calls int, left_ms int }   calls in this window, and ms until it ends
-- Cost       commands <= 3, turns <= 0

local calls = redis.call("INCR", key)
if calls == 1 then
    redis.call("PEXPIRE", key, window_ms)
end
return { calls, redis.call("PTTL", key) }
