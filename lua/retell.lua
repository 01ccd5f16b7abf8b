#!lua
-- retell: raise a room's revision and tell members anew; how an audit mends a copy.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    at_least   the revision to reach, so that a copy with a wrong stamp is overtaken
-- ARGV[3..]  members    whoever they are: strangers hear that they are not in the room
--
-- Reply      1
-- Cost       commands <= 6 + members * 25,
--            turns <= 8 + 6 * tags + members * max(19 + 4 * tags, 4 + 7 * tags)
--@include lib/room
--@include lib/news
--@plan

local room = load_head(KEYS[1])
local known = room ~= nil
if not known then
    room = { key = KEYS[1], rev = 0, born = 0, tags = "", deleted = true }
end
raise_revision(room, tonumber(ARGV[2]))
if known then
    save_head(room)
end
local members = {}
for i = 3, #ARGV do
    members[#members + 1] = ARGV[i]
    local cursor = not room.deleted and load_member(room, ARGV[i])
    if cursor and room.derived then
        redis.call("ZADD", room.key .. ":c", cursor, ARGV[i])
    end
end
tell_anew(room, members)
return finish(room, 1)
