#!lua flags=allow-oom
-- sweep_room: tell some of those who were members of a large room when it was deleted what the room says of them now.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    limit    how many
--
-- Reply      how many are left
-- Cost       commands <= 8 + limit * 15, turns <= 4 + limit * 18
--@include lib/sweeping
--@include lib/news
--@plan

local aside = KEYS[1] .. ":g"
local members = redis.call("HRANDFIELD", aside, ARGV[2])
local room = load_head_or_gone(KEYS[1])
if #members > 0 then
    redis.call("HDEL", aside, unpack(members))
    tell_anew(room, members)
end
return finish(room, redis.call("HLEN", aside))
