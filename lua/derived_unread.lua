#!lua flags=no-writes
-- derived_unread: unread of some of a user's derived rooms: of those that badge and badges_by_tags
-- leave to their caller on one server, where a script reaches rooms from a member.
--
-- Key        user
-- Args       app, user, ...rooms
--
-- Reply      [{ unread int, tags tagset }]   of active rooms that the user is a member of
-- Cost       commands <= 3 * derived, turns <= 2 * derived
--@include lib/reach
--@plan

local found = {}
for _, room in ipairs(rooms) do
    ask_room(found, user, room)
end
return found
