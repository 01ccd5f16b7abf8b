#!lua flags=allow-oom
-- set_hash_field: set a field of a hash. For keys and generations of apps: a thief must be locked
-- out although the memory is full, since they may have filled it.
--
-- Key        hash
-- Args       field, value, command
--            command: HSET, or HSETNX: not one that is there
--
-- Reply      new flag
-- Cost       commands <= 1, turns <= 0

return redis.call(command, key, field, value)
