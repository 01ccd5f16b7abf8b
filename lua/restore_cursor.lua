#!lua
-- restore_cursor: a member's copy knows a higher cursor than the room, which a failover set back: advance the room again.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3]    cursor    seq
--
-- Reply      1 when the room's cursor moved, else 0
-- Cost       O(log messages)
--@include lib/room
--@include lib/news
--@plan

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
local user = ARGV[2]
local plan = begin(ARGV[1], room)
local cursor, ord, read = load_member(room, user)
local wanted = math.min(tonumber(ARGV[3]), room.seq)
if not cursor or wanted <= cursor then
    return plan.finish(0)
end
local entry = redis.call("XREVRANGE", room.key .. ":l", string.format("%.0f", wanted), "-", "COUNT", 1)[1]
local wanted_ord = entry and tonumber(string.match(entry[1], "%d+$")) or ord
raise_revision(room)
save_member(room, user, wanted, math.max(ord, wanted_ord), math.max(read, wanted))
redis.call("HSET", room.key, "rev", room.rev)
tell_member(plan, room, user, wanted, math.max(ord, wanted_ord))
return plan.finish(1)
