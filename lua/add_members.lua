#!lua
-- add_members: let users into a room; each starts at the head.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    limit     fan-out limit in members
-- ARGV[3]    journal   "<moves kept> <ms kept>"
-- ARGV[4]    made      "1": only a room that a client made, "0": only another, "": any
-- ARGV[5..]  members
--
-- Reply      those who were not members before
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  joined, then room, when somebody joined
-- Cost       commands <= 20 + members * 13 + lot * 25,
--            turns <= 20 + 6 * tags + members * (6 + 4 * tags) + lot * (8 + 3 * tags)
--            members: those there were, when the room passes the fan-out limit
--@include lib/room
--@include lib/membership
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted or made_otherwise(room, ARGV[4]) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local joined = add_members(room, 5, #ARGV, tonumber(ARGV[2]), ARGV[3])
announce_joined(room, joined)
return finish(room, joined)
