#!lua flags=no-writes
-- count_messages: how many messages of a room are of a later time, some at a time from the newest
-- backwards. Their times need not rise.
--
-- Key        room
-- Args       since_ms int, after int, below int, limit int
--            since_ms: 0: of any time, forgotten ones too
--            after: seq; messages up to it are unknown
--            below: seq before which to begin, 0: with the newest; limit: messages looked at
--
-- Reply      { count int, below int }   without deleted ones; below: where to go on, 0 at the end
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 3, turns <= 60 + 4 * messages
--            messages: those looked at
--@include lib/room
--@include lib/messages

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
if since_ms == 0 and after <= room.floor_seq then
    return { room.seq - room.floor_seq - room.deleted_count, 0 }
end
local newest = below > 0 and below - 1 or room.seq
local before = math.max(after, room.floor_seq, room.oldest - 1) -- seq before the first that is known
local oldest = math.max(before, newest - limit) + 1
if newest < oldest then
    return { 0, 0 }
end
local times, count = read_times(room, oldest, newest), 0
for i = 1, #times, 3 do
    if times[i + 2] > since_ms and not is_deleted(room, times[i], times[i + 1]) then
        count = count + 1
    end
end
return { count, oldest > before + 1 and oldest or 0 }
