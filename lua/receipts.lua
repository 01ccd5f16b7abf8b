#!lua flags=allow-oom
-- receipts: a page of those who have, or have not, read a message. In three sections, one after
-- the other: those who acknowledged this very message ("q"), members by cursor ("c"), members who
-- left by the cursor that they left with ("y"). Non-readers are members by cursor alone.
--
-- Key        room
-- Args       message, which, limit int, section, place int, last, since int, after int
--            which: "read" or "unread"; limit: people looked at for this page; fewer when their
--            journals are long
--            section: where to go on: "q", "c" or "y"; place: in section q how many are done, else
--            the cursor of the last one looked at, -1 for none; last: and their name
--            since: room clock at the first page, -1: this is the first
--            after: seq; messages up to it are unknown
--
-- Reply      { message { message, seq int, sender?, at_ms int }, read int, unread int, left int,
--              created_ms int, revision int, now int, section, place int, last,
--              people [{ member, at int, exact flag, left_at int, trail [int] }] }
--            now: room clock; section, place, last: where the next page begins, section "" at the
--            end
--            at, left_at: on the room's clock, left_at -1 for a member; trail: where they stood at
--            `since` and since then, { cursor, 0, cursor, at, ... }, {} when they have not moved
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN
-- Cost       commands <= 20 + 3 * acknowledged + limit * (3 + log(chunks)) + walked / 16,
--            turns <= 20 + members + 3 * acknowledged + limit * (20 + log(chunks)) + 2 * walked
--            members: up to the fan-out limit; chunks: of the longest journal; walked: moves since
--            the first page, at most 10,000 and those of one journal
--@include lib/room
--@include lib/receipts
--@include lib/receipts_page

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, sender, at_ms, sender_joined = receipted(room, message, after)
if not seq then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local acknowledged, by_member = acknowledgements(room, seq)
local order = order_of(room)
local read, unread, left = count_receipts(room, order, seq, sender, sender_joined, acknowledged, {})
local revision = room.revision
set_clock_to_now(room)
local page = {
    room = room,
    seq = seq,
    sender = sender,
    sender_joined = sender_joined,
    by_member = by_member,
    wants_read = which == "read",
    since = since,
    limit = limit,
    section = section,
    place = place,
    last = last,
    people = {},
    walked = 0,
}
if page.wants_read and page.section == "q" then
    add_acknowledged(page, acknowledged)
end
if page.section == "c" and page.limit > 0 then
    add_members_by_cursor(page, order)
end
if page.section == "y" and page.limit > 0 then
    add_leavers(page)
end
return {
    { message, seq, sender, at_ms }, read, unread, left, created_ms_of(room), revision, room_clock(room), page.section,
    page.place, page.last, page.people,
}
