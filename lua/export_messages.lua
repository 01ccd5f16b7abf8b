#!lua flags=no-writes
-- export_messages: the messages of a room from one seq to another.
--
-- Key        room
-- Args       first int, last int
--
-- Reply      [{ seq int, ordinal int, kind int, hidden flag, at_ms int, joined int, message,
--              sender, acknowledged [user, joined int, at_ms int] }]
--            kind: as in lib/messages.lua; joined: where the sender had joined, -1: was no member
--            acknowledged: who acknowledged this very message, where they had joined, and when
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 3 + 2 * messages, turns <= 4 + messages * (4 + 5 * acknowledged)
--            messages: from the first seq to the last; acknowledged: by how many one of them was
--@include lib/arrays
--@include lib/room
--@include lib/messages
--@include lib/receipts

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local chunk, senders, found = nil, nil, {}

local function add(seq)
    local message, sender, at_ms, joined, row, ordinal, kind =
        unless_damaged(pcall(parse_entry, chunk, seq, senders))
    if not message then
        return
    end
    local acknowledged = {}
    for _, entry in ipairs(acknowledgements(room, seq)) do
        append(acknowledged, entry.member, entry.joined, created_ms_of(room) + entry.at)
    end
    local hidden = row or is_deleted(room, 1 + room.floor_seq, kind)
    found[#found + 1] = { seq, ordinal, kind, hidden and 1 or 0, at_ms, joined, message, sender, acknowledged }
end

for seq = math.max(first, room.oldest), math.min(last, room.seq) do
    if not chunk or seq % LOG_CHUNK == 1 then
        local have = redis.call("HMGET", key .. MESSAGE_LOG, chunk_of(seq), senders_of(seq))
        chunk, senders = have[1] or "", have[2]
    end
    add(seq)
end
return found
