#!lua flags=allow-oom
-- sweep_room: update some of those who were members of a large room when it was deleted with what
-- the room says of them now.
--
-- Key        room
-- Args       app, limit digits
--            limit: how many
--
-- Reply      left int   how many are left
-- Cost       commands <= 8 + limit * 17, turns <= 4 + limit * 34
--@include lib/gone
--@include lib/updates
--@plan

local deleted = key .. DELETED_MEMBERS
local members = redis.call("HRANDFIELD", deleted, limit)
local room = load_head_or_gone(key)
if #members > 0 then
    redis.call("HDEL", deleted, unpack(members))
    push_present_state(room, members)
end
return finish(room, redis.call("HLEN", deleted))
