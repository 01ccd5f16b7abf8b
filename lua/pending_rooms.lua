#!lua flags=allow-oom
-- pending_rooms: the rooms that were entered in a list some time ago. A server whose clock runs
-- ahead may have entered rooms at a time that is still to come: they count as entered now.
--
-- Key        list of rooms
-- Args       older_than_ms int
--            older_than_ms: since they were entered
--
-- Reply      { now_ms int, rooms [room] }   now_ms: by the store's clock; room: app, colon, id
-- Cost       commands <= 5, turns <= 2 + rooms
--@include lib/clock
--@include lib/batches

local now, entered = now_ms(), {}
local stamp = string.format("%.0f", now)
for _, room in ipairs(redis.call("ZRANGEBYSCORE", key, "(" .. stamp, "+inf")) do
    entered[#entered + 1], entered[#entered + 2] = stamp, room
end
call_in_batches("ZADD", key, entered)
return { now, redis.call("ZRANGEBYSCORE", key, "-inf", string.format("%.0f", now - older_than_ms)) }
