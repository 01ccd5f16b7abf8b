#!lua
-- audit_messages: a piece of a room's log, from newer to older messages: their ordinals and kinds,
-- the index of their ids, the holes and seqs of those that were deleted, and messages that are
-- gone.
--
-- Key        room
-- Args       repair flag, below int, most int
--            below: seq before which to begin, 0: at the head; most: messages and empty chunks
--
-- Reply      { compared int, below int, looked int, differences [what bytes, stored bytes,
--              expected bytes] }
--            below: where to go on, 0 at the end; looked: messages that there are
-- Cost       commands <= 20 + 20 * messages, turns <= 100 + 35 * messages
--            messages: in this piece; each that must be written anew takes 20 commands more
--@include lib/audit
--@include lib/audit_log
--@include lib/audit_gaps
--@include lib/audit_deleted

local room = existing_room(key)
if not room then
    return { 0, 0, 0, {} }
end
local walk = begin_walk(room, below > 0 and below - 1 or room.seq)
while walk.seq >= room.oldest and walk.looked < most do
    audit_message(walk)
end
if walk.seq < room.oldest and walk.gap then
    end_at_gap(walk)
end
audit_deleted(walk)
return { compared, walk.seq >= room.oldest and walk.seq + 1 or 0, walk.found, differences }
