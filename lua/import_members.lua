#!lua
-- import_members: some members of an imported room that is in its place, and some who have left it.
-- Those who are there already stay as they are.
--
-- Key        room
-- Args       app, source, settings, ...members, ...stays
--            members: each packed: { user, left, ordinal, read, joined, marked, until_ms, cursor,
--            at_ms, { cursor, Unix ms, exact, ... } }
--            left: 1: is no member now; ordinal: after which unread is counted, -1: that of the
--            cursor; marked: seq from which they marked the room unread, 0: not; until_ms: up to
--            when they said they had read; cursor, at_ms: where their journal begins, and behind it
--            the moves
--            stays: each packed: { user, joined, cursor, Unix ms at its end }
--
-- Reply      joined int   how many are members that were none before
-- Errors     ROOM_UNKNOWN    this import has no room here; nothing was written
-- Cost       commands <= 16 + members * 26 + moves / 4 + 6 * stays + 2 * size / 1000,
--            turns <= 40 + members * (40 + 4 * tags) + 2 * moves + 3 * stays + 3 * size
--            moves: of all journals; size: members of a room that becomes large
--@include lib/importing
--@include lib/updates
--@include lib/crossing
--@plan

local room = placed_room(key, source)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local before = room.revision
raise_revision(room)
local joined = {}
for _, packed in ipairs(members) do
    if import_member(room, packed, settings) then
        joined[#joined + 1] = cmsgpack.unpack(packed)[1]
    end
end
for _, packed in ipairs(stays) do
    import_stay(room, packed)
end
if #joined > 0 then
    room.member_count = room.member_count + #joined
    index_if_due(room, settings)
    save_head(room)
    push_present_state(room, joined)
else
    room.revision = before
    push_pending(room)
end
return finish(room, #joined)
