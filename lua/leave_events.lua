#!lua flags=allow-oom
-- leave_events: give a shard up, so that another deliverer need not wait for the end of the lease.
--
-- KEYS[1]    shard
-- ARGV[1]    holder
--
-- Reply      1, or 0 when it was not the holder's
-- Cost       commands <= 2, turns <= 0

if redis.call("GET", KEYS[1] .. ":h") ~= ARGV[1] then
    return 0
end
return redis.call("DEL", KEYS[1] .. ":h")
