#!lua flags=allow-oom
-- settle: strike out what a room no longer owes, unless it owes newer news by now.
--
-- KEYS[1]    room
-- ARGV[1]    revision   that was told
-- ARGV[2..]  members    who were told
--
-- Reply      how many are still owed
-- Cost       commands <= 1 + 2 * members, turns <= members

local owed = KEYS[1] .. ":o"
for i = 2, #ARGV do
    local revision = redis.call("HGET", owed, ARGV[i])
    if revision and tonumber(revision) <= tonumber(ARGV[1]) then
        redis.call("HDEL", owed, ARGV[i])
    end
end
return redis.call("HLEN", owed)
