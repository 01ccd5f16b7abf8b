#!lua flags=allow-oom
-- release_shard: give a shard up, so that another deliverer need not wait for the end of the lease.
--
-- Key        shard
-- Args       holder
--
-- Reply      released flag   false when it was not the holder's
-- Cost       commands <= 2, turns <= 0
--@include lib/keys

if redis.call("GET", key .. HOLDER) ~= holder then
    return 0
end
return redis.call("DEL", key .. HOLDER)
