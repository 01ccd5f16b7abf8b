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
-- Cost       commands <= 3, turns <= 3 * messages
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
local oldest = math.max(after, room.floor_seq, newest - limit) + 1
if newest < oldest then
    return { 0, 0 }
end
local seqs, messages, later, count = {}, {}, {}, 0
for seq = oldest, newest do
    seqs[#seqs + 1] = seq
end
local log = redis.call("HMGET", room.key .. MESSAGE_LOG, unpack(seqs))
for i, packed in ipairs(log) do
    if packed then
        local message, _, at_ms = cmsgpack.unpack(packed)
        if at_ms > since_ms then
            messages[#messages + 1], later[#later + 1] = message, seqs[i]
        end
    end
end
if #messages > 0 then
    for i, packed in ipairs(redis.call("HMGET", room.key .. MESSAGE_PLACES, unpack(messages))) do
        local _, _, kind = cmsgpack.unpack(packed)
        count = count + (is_deleted(room, later[i], kind) and 0 or 1)
    end
end
local is_first = oldest == math.max(after, room.floor_seq) + 1
return { count, log[1] and not is_first and oldest or 0 }
