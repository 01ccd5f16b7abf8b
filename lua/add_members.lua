#!lua
-- add_members: let users into a room; each starts at the head.
--
-- Key        room
-- Args       app, settings, made, ...members
--            settings: as in lib/settings.lua
--            made: "1": only a room that a client made, "0": only another, "": any
--
-- Reply      [member]   those who were not members before
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  joined, then room, when a user joined
-- Cost       commands <= 25 + lot * 26, turns <= 20 + 6 * tags + 3 * members + lot * (8 + 3 * tags)
--            members: those there were, when the room becomes large
--@include lib/room
--@include lib/membership
--@plan

local room = existing_room(key, made)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local joined = add_members(room, members, settings)
announce_joined(room, joined)
return finish(room, joined)
