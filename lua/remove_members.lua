#!lua flags=allow-oom
-- remove_members: let users out of a room; it leaves their badges in the same step.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    limit     fan-out limit in members
-- ARGV[3]    made      "1": only a room that a client made, "0": only another, "": any
-- ARGV[4..]  members    of those who were only invited, the invitation ends
--
-- Reply      those who were members
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  left, then room, when somebody left
-- Cost       commands <= 20 + lot * 32 + members * 13,
--            turns <= 20 + 6 * tags + lot * (19 + 4 * tags) + members * (6 + 4 * tags)
--            members: those who stay, when the room comes back below the fan-out limit
--@include lib/room
--@include lib/news
--@include lib/crossing
--@include lib/notices
--@include lib/stays
--@include lib/invitations
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted or made_otherwise(room, ARGV[3]) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local left = {}
local before = room.rev
raise_revision(room)
strike_out_invitations(room, 4, #ARGV)
for i = 4, #ARGV do
    local packed = load_record(room, ARGV[i])
    if packed then
        end_stay(room, ARGV[i], packed)
        left[#left + 1] = ARGV[i]
    end
end
if #left > 0 then
    room.size = room.size - #left
    local crossed = cross_if_due(room, tonumber(ARGV[2]))
    save_head(room)
    tell_anew(room, left)
    if crossed then
        tell_members(room)
    end
    local id = room_of(room.key)
    publish("left", id, left)
    publish("room", id)
else
    room.rev = before
    tell_owed(room)
end
return finish(room, left)
