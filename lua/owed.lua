#!lua flags=allow-oom
-- owed: what a room still owes after a crash between its script and the members' (split plan).
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2..]  members   only what these are owed; without any, what all are owed
--
-- Reply      how many members and events are owed, with the news of the first of them
-- Cost       commands <= 6 + owed, turns <= 6 + members + 5 * owed
--            owed: at most 500 at a time; members: those named
--@include lib/sweeping
--@include lib/news
--@plan

local room = load_head_or_gone(KEYS[1])
if #ARGV > 1 then
    local members = {}
    for i, owed in ipairs(redis.call("HMGET", room.key .. ":o", unpack(ARGV, 2))) do
        members[#members + 1] = owed and ARGV[i + 1] or nil
    end
    tell_anew(room, members)
else
    tell_owed(room)
end
events = redis.call("HGETALL", room.key .. ":w")
return finish(room, redis.call("HLEN", room.key .. ":o") + #events / 2)
