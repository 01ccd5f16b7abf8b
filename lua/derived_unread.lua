#!lua flags=no-writes
-- derived_unread: unread of some of a user's derived rooms: of those that badge and badges_by_tags leave to their caller on one
-- server, where a script reaches rooms from a member.
--
-- KEYS[1]    user
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3..]  rooms
--
-- Reply      { {unread, tags}, ... }   of active rooms that the user is a member of
-- Cost       commands <= 3 * derived, turns <= derived
--@include lib/keys
--@plan

local found = {}
for i = 3, #ARGV do
    ask_room(found, ARGV[2], ARGV[i])
end
return found
