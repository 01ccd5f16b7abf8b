#!lua flags=allow-oom
-- pending: the updates and events of a room that a crash has left pending between its script and
-- the members' (split plan).
--
-- Key        room
-- Args       app, ...members
--            members: only their updates; without any, those of all
--
-- Reply      pending int   how many updates and events are pending; the first are handed over
-- Cost       commands <= 6 + pending, turns <= 6 + 2 * members + 5 * pending
--            pending: updates, at most 500 at a time; members: those named
--@include lib/gone
--@include lib/updates
--@plan

local room = load_head_or_gone(key)
if #members > 0 then
    local waiting = {}
    for i, revision in ipairs(redis.call("HMGET", room.key .. PENDING, unpack(members))) do
        waiting[#waiting + 1] = revision and members[i] or nil
    end
    push_present_state(room, waiting)
else
    push_pending(room)
end
local events = redis.call("HGETALL", room.key .. PENDING_EVENTS)
return finish(room, redis.call("HLEN", room.key .. PENDING) + #events / 2, events)
