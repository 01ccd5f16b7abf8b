#!lua flags=allow-oom
-- set_field: set a field of a hash. For keys and generations of apps: a thief must be locked out
-- although the memory is full, since they may have filled it.
--
-- KEYS[1]    hash
-- ARGV[1]    field
-- ARGV[2]    value
-- ARGV[3]    command    HSET, or HSETNX: not one that is there
--
-- Reply      1 new, 0 it was there
-- Cost       commands <= 1, turns <= 0

return redis.call(ARGV[3], KEYS[1], ARGV[1], ARGV[2])
