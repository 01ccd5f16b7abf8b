#!lua
-- import_messages: some messages of a room that is being imported, in their order. Those that are
-- there already are passed over.
--
-- Key        room
-- Args       source, ...holes, ...messages
--            holes: ordinals, before that of the first message
--            messages: each packed: { seq, ordinal, kind, hidden, at_ms, joined, id, sender,
--            { user, joined, room clock, ... } }
--            hidden: 1 or 0; joined: where the sender had joined, -1: was no member; the last: who
--            acknowledged this very message
--
-- Reply      seq int   of the last one that is there
-- Errors     ROOM_UNKNOWN    nothing of this import is staged; nothing was written
-- Cost       commands <= 14 + holes + 24 * messages,
--            turns <= 20 + holes + messages * (60 + acknowledged)
--            acknowledged: by how many one of them was
--@include lib/staging
--@include lib/hidden
--@include lib/holes

local room = staged_room(key, source)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end

-- The places up to `seq` were left out.
local function skip_places(seq)
    if room.oldest > room.seq then
        room.oldest = seq + 1
    else
        note_jump(room, room.seq + 1, seq)
    end
    room.deleted_count = room.deleted_count + seq - room.seq
end

local function note_deleted(seq, ordinal, kind)
    if kind % (2 * DELETED) >= DELETED and seq > room.floor_seq then
        room.deleted_count = room.deleted_count + 1
        redis.call("ZADD", room.key .. DELETED_SEQS, seq, seq)
    end
    if kind % 2 == COUNTABLE and kind > COUNTABLE and ordinal > room.floor then
        add_hole(room, ordinal)
    end
end

local function note_acknowledged(seq, acknowledged)
    local entries = {}
    for i = 1, #acknowledged, 3 do
        entries[#entries + 1] = cmsgpack.pack(acknowledged[i], acknowledged[i + 1], acknowledged[i + 2])
    end
    if #entries > 0 then
        redis.call("HSET", room.key .. ACKNOWLEDGEMENTS, seq, table.concat(entries))
    end
end

for _, hole in ipairs(holes) do
    add_hole(room, tonumber(hole))
end
for _, packed in ipairs(messages) do
    local seq, ordinal, kind, hidden, at_ms, joined, message, sender, acknowledged = unpack(cmsgpack.unpack(packed))
    if seq > room.seq then
        if seq > room.seq + 1 then
            skip_places(seq - 1)
        end
        local locator = locator_of(room, message, seq)
        room.seq, room.ordinal, room.newest = seq, ordinal, message
        append_message(room, locator, seq, ordinal, kind, sender, at_ms, joined)
        note_deleted(seq, ordinal, kind)
        if hidden == 1 then
            hide(room, seq)
        end
        note_acknowledged(seq, acknowledged)
    end
end
save_staged(room)
return room.seq
