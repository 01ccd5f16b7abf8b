#!lua flags=no-writes
-- export_stays: stays that have ended, of those that an export has found among them who have left.
--
-- Key        room
-- Args       head int, ...fields
--            head: seq of the last message that is exported; fields: those that are no stays are
--            passed over
--
-- Reply      [member, joined int, cursor int, ended_ms int]
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 1 + fields, turns <= 7 * fields
--@include lib/arrays
--@include lib/room
--@include lib/stays

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local found = {}
for _, field in ipairs(fields) do
    local name, joined = read_stay(field)
    local cursor, ended
    if name and joined <= head then
        cursor, ended = ended_stay(room, name, joined)
    end
    if tonumber(cursor) and tonumber(ended) then
        append(found, name, joined, math.min(cursor, head), created_ms_of(room) + ended)
    end
end
return found
