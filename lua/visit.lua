#!lua flags=allow-oom
-- visit: a user asks a room that their side does not know to be up to date; the caller applies the
-- reply to it.
--
-- Key        room
-- Args       app, user, settings
--
-- Reply      { revision int, created_revision int, tags tagset, cursor int, unread int, state int,
--              active flag }
--            state, tags: as in lib/states.lua
-- Cost       commands <= 5, turns <= 4
--@include lib/reach
--@include lib/visiting

local room, cursor, unread, state = visit(key, user, settings)
return { room.revision, room.created_revision, update_tags(room), cursor, unread, state, room.active and 1 or 0 }
