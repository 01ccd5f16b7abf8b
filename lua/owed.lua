#!lua flags=allow-oom
-- owed: what a room still owes after a crash between its script and the members' (split plan).
--
-- KEYS[1]    room
-- ARGV[1]    app
--
-- Reply      how many members and events are owed, with the news of the first of them
-- Cost       commands <= 6 + owed, turns <= 6 + 5 * owed
--            owed: at most 500 at a time
--@include lib/sweeping
--@include lib/news
--@plan

local room = load_head_or_gone(KEYS[1])
tell_owed(room)
events = redis.call("HGETALL", room.key .. ":w")
return finish(room, redis.call("HLEN", room.key .. ":o") + #events / 2)
