#!lua
-- create_room: create a room unless it exists, and add members. What a client made, a backend that
-- makes it takes over.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    tags       canonical tag set; of a room that stays as it is passed over
-- ARGV[3]    limit      fan-out limit in members
-- ARGV[4]    journal    "<moves kept> <ms kept>"
-- ARGV[5]    by_client  1 or 0; 1: a room that exists stays as it is, and no member is added
-- ARGV[6]    fields     how many profile field names and values follow; the same
-- ARGV[7]    joining    how many of the members named join in this script, the first ones
-- ARGV[8..]  profile: name, JSON, ...; then members
--
-- Reply      1 created, 0 it existed, 2 it is being taken over: call again
-- Publishes  left, joined, then room, when members left or joined, or the room was taken over
-- Cost       commands <= 26 + fields + 21 * members + 31 * left + 25 * lot,
--            turns <= 30 + fields + named + (1 + members + left + lot) * (19 + 7 * tags)
--            fields: of the profile; members: those there were, when the room passes the fan-out
--            limit or is taken over, who stay; left: who leave, 100 at a time; named: in the call,
--            of whom the lot joins
--@include lib/room
--@include lib/membership
--@include lib/takeover
--@plan

local room = load_head(KEYS[1])
local fields, limit, keep = tonumber(ARGV[6]), tonumber(ARGV[3]), ARGV[4]
local first, last = 8 + fields, 7 + fields + tonumber(ARGV[7])

local function set_profile()
    redis.call("UNLINK", room.key .. ":f")
    for i = 8, 7 + fields, 2 do
        redis.call("HSET", room.key .. ":f", ARGV[i], ARGV[i + 1])
    end
end

local created = not room or room.deleted
if created then
    -- A deleted room's head goes on counting, so that late news of it is recognised as old.
    room = room or { key = KEYS[1], seq = 0, ord = 0, rev = 0 }
    raise_revision(room)
    room.newest = ""
    room.born, room.tags = room.rev, ARGV[2]
    room.active, room.deleted, room.derived, room.size = true, false, false, 0
    room.floor, room.floor_seq, room.dead, room.top_hole = room.ord, room.seq, 0, 0
    room.by_client = ARGV[5] == "1"
    redis.call("UNLINK", room.key)
    save_head(room)
    set_profile()
elseif ARGV[5] == "1" then
    tell_owed(room)
    return finish(room, 0)
elseif room.by_client then
    set_profile()
    return finish(room, take_over(room, ARGV[2], first, last, limit, keep) and 2 or 0)
end
local joined = add_members(room, first, last, limit, keep)
announce_joined(room, joined)
return finish(room, created and 1 or 0)
