#!lua flags=allow-oom
-- remove_members: let users out of a room; it leaves their badges in the same step.
--
-- Key        room
-- Args       app, settings, made, ...members
--            made: "1": only a room that a client made, "0": only another, "": any
--            members: of those who were only invited, the invitation ends
--
-- Reply      [member]   those who were members
-- Errors     ROOM_UNKNOWN    nothing was written
-- Publishes  left, then room, when a member left
-- Cost       commands <= 23 + lot * 35, turns <= 20 + 6 * tags + lot * (36 + 4 * tags)
--@include lib/room
--@include lib/updates
--@include lib/crossing
--@include lib/notices
--@include lib/stays
--@include lib/invitations
--@plan

local room = existing_room(key, made)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local left = {}
local before = room.revision
raise_revision(room)
end_invitations(room, members)
for _, member in ipairs(members) do
    local packed = load_record(room, member)
    if packed then
        end_stay(room, member, packed)
        left[#left + 1] = member
    end
end
if #left > 0 then
    room.member_count = room.member_count - #left
    index_if_due(room, settings)
    save_head(room)
    push_present_state(room, left)
    publish(room, "left", left)
    publish(room, "room")
else
    room.revision = before
    push_pending(room)
end
return finish(room, left)
