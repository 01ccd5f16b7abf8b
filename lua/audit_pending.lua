#!lua
-- audit_pending: members for whom updates are pending that no update can strike out: a revision
-- that the room has not reached, or that is none.
--
-- Key        room
-- Args       repair flag, ...members
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 1 + 2 * members, turns <= 5 * members
--@include lib/audit
--@include lib/room

local room = load_head(key)
for _, member in ipairs(members) do
    local stored = redis.call("HGET", key .. PENDING, member)
    local revision = stored and tonumber(stored)
    if stored and not (revision and revision >= 0 and revision <= (room and room.revision or revision)) then
        local last = string.format("%.0f", room and room.revision or 0)
        compare(of("pending", member), stored, last, function()
            redis.call("HSET", key .. PENDING, member, last)
        end)
    end
end
return { compared, differences }
