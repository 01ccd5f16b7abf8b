#!lua flags=allow-oom
-- catch_up: what was announced in a room since users joined it a moment ago. A listener whose
-- subscription came later than that reads it here. The barrier is published in the same step: what
-- the listener heard before the barrier is in the reply, what comes after it is not.
--
-- Key        room
-- Args       app, barrier, ...users
--
-- Reply      { members [user], recent [bytes] }
--            members: those of `users` who are members; recent: the room's latest notices, in order
-- Publishes  barrier
-- Cost       commands <= 4 + users, turns <= 20 + 2 * users
--@include lib/notices

local room = load_head(key)
local is_there = room and not room.deleted
local members = {}
for _, user in ipairs(users) do
    if is_there and user ~= HEAD and redis.call("HEXISTS", key, user) == 1 then
        members[#members + 1] = user
    end
end
redis.call("SPUBLISH", key, pack_array("barrier", room_id(key), barrier))
return { members, redis.call("LRANGE", key .. RECENT, 0, -1) }
