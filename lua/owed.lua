#!lua flags=allow-oom
-- owed: what a room still owes after a crash between its script and the members' (split plan).
--
-- KEYS[1]    room
-- ARGV[1]    app
--
-- Reply      how many members and events are owed, with the news of the first of them
-- Cost       O(members owed), a bounded number at a time
--@include lib/room
--@include lib/news
--@plan

local room = load_head(KEYS[1])
if not room then
    -- The head of a deleted room has expired: who is still owed hears that the room is gone.
    local time = redis.call("TIME")
    room = { key = KEYS[1], rev = tonumber(time[1]) * 1000000 + tonumber(time[2]), born = 0, tags = "", deleted = true }
end
tell_owed(room)
events = redis.call("HGETALL", room.key .. ":w")
return finish(room, redis.call("HLEN", room.key .. ":o") + #events / 2)
