#!lua
-- refresh_members: raise a room's revision and update users anew; how an audit mends a copy.
--
-- Key        room
-- Args       app, at_least int, ...users
--            at_least: the revision to reach, so that a copy with a wrong stamp is overtaken
--            users: members or not: the side of a stranger learns that they are not in the room
--
-- Reply      done int   1
-- Cost       commands <= 6 + members * 24,
--            turns <= 8 + 6 * tags + members * max(36 + 4 * tags, 5 + 7 * tags)
--@include lib/room
--@include lib/updates
--@plan

local room = load_head(key)
local known = room ~= nil
room = room or new_head(key)
raise_revision(room, at_least)
if known then
    save_head(room)
end
push_present_state(room, users)
return finish(room, 1)
