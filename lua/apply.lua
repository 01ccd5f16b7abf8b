#!lua flags=allow-oom
-- apply: give one user a newer update of one room; the second step of every operation on the split
-- plan.
--
-- Key        user
-- Args       room, revision int, created_revision int, tags bytes, cursor int, unread int,
--            state int
--            revision, created_revision: of the room, below 2^53; tags: canonical tag set
--            state: as in lib/states.lua
--
-- Reply      { total int, derived int, ahead int }   the user's counted total, number of derived
--            rooms, and a cursor that the room has lost (or 0)
-- Cost       commands <= 23, turns <= 24 + 13 * tags
--@include lib/user

return { apply(key, make_update(room, revision, created_revision, tags), cursor, unread, state) }
