#!lua flags=no-writes
-- export_members: members of a room and those who have left it, with their journals, as far as
-- messages up to a seq are concerned.
--
-- Key        room
-- Args       head int, ordinal int, most int, ...names
--            head, ordinal: of the last message that is exported
--            most: moves after which no further name is looked at
--
-- Reply      { looked int, people [{ member, left flag, cursor int, ordinal int,
--              read int, joined int, marked int, until_ms int, since_cursor int, since_ms int,
--              moves [int] }] }
--            looked: at so many names, in their order
--            left: is no member; so is one who has come back after head, which joined says
--            since_cursor, since_ms: where the journal begins; moves: cursor, Unix ms, 1 when that
--            is exact, ...
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 1 + 5 * names + moves / 8, turns <= names * 3 + 3 * moves
--            moves: of all journals
--@include lib/exporting

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local looked, walked, people = 0, 0, {}
for _, name in ipairs(names) do
    if walked > most then
        break
    end
    looked = looked + 1
    local member, left = load_person(room, name)
    -- Members who joined for the first time after that message are not there yet.
    if member and (left or member.joined <= head or member.moves > 0) then
        local person = export_member(room, member, left, head, ordinal)
        walked = walked + #person[11] / 3
        people[#people + 1] = person
    end
end
return { looked, people }
