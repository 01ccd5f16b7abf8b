#!lua flags=allow-oom
-- ack: strike out updates that have been pushed, unless newer ones are pending by now.
--
-- Key        room
-- Args       revision int, ...members
--            revision: of the update that was pushed to these members
--
-- Reply      pending int   members whose updates are still pending
-- Cost       commands <= 1 + 2 * members, turns <= 2 * members
--@include lib/keys

local pending = key .. PENDING
for _, member in ipairs(members) do
    local noted = redis.call("HGET", pending, member)
    if noted and tonumber(noted) <= revision then
        redis.call("HDEL", pending, member)
    end
end
return redis.call("HLEN", pending)
