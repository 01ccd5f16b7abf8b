#!lua
-- create_room: create a room unless it exists, and add members.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    tags      canonical tag set, only for a new room
-- ARGV[3]    limit     fan-out limit in members
-- ARGV[4]    journal   "<moves kept> <ms kept>"
-- ARGV[5]    fields    how many profile field names and values follow, only for a new room
-- ARGV[6..]  profile: name, JSON, ...; then members
--
-- Reply      created   1 or 0
-- Publishes  joined, then room, when somebody joined
-- Cost       commands <= 12 + fields + lot * (6 + tags), turns <= 8 + fields + tags + lot * max(6, 2 + tags)
--@include lib/room
--@include lib/news
--@include lib/notices
--@include lib/crossing
--@include lib/membership
--@plan

local room = load_head(KEYS[1])
local fields = tonumber(ARGV[5])
local created = not room or room.deleted
if created then
    -- A deleted room's head goes on counting, so that late news of it is recognised as old.
    room = room or { key = KEYS[1], seq = 0, ord = 0, rev = 0 }
    raise_revision(room)
    room.newest = ""
    room.born, room.tags = room.rev, ARGV[2]
    room.active, room.deleted, room.derived, room.size = true, false, false, 0
    room.floor, room.floor_seq, room.dead, room.top_hole = room.ord, room.seq, 0, 0
    redis.call("UNLINK", room.key)
    save_head(room)
    for i = 6, 5 + fields, 2 do
        redis.call("HSET", room.key .. ":f", ARGV[i], ARGV[i + 1])
    end
end
local joined = add_members(room, 6 + fields, tonumber(ARGV[3]), ARGV[4])
announce_joined(room, joined)
return finish(room, created and 1 or 0)
