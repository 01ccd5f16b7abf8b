-- migrating_messages: the messages of a room of layout 1. There the log has
-- seq -> (id, sender, Unix ms, where the sender had joined, row), and the index
-- id -> (seq, ordinal, kind). Both are renamed, and from there go into the log and the index of
-- this layout.
--@include lib/batches
--@include lib/messages

-- Migrate at most `most` messages, the oldest first. Returns how many that were, and true when
-- it is done.
local function migrate_messages(room, most)
    local log, places = room.key .. UNMIGRATED, room.key .. UNMIGRATED_PLACES
    if redis.call("EXISTS", log) == 0 then
        if room.oldest > room.seq then
            return 0, true
        end
        redis.call("RENAME", room.key .. MESSAGE_LOG, log)
        redis.call("RENAME", room.key .. FIRST_PLACES, places)
    end
    local first, seqs, messages = room.seq - redis.call("HLEN", log) + 1, {}, {}
    for seq = first, math.min(room.seq, first + most - 1) do
        seqs[#seqs + 1] = seq
    end
    local entries = #seqs > 0 and redis.call("HMGET", log, unpack(seqs)) or {}
    for i, entry in ipairs(entries) do
        messages[i] = (cmsgpack.unpack(entry))
    end
    local kinds = #seqs > 0 and redis.call("HMGET", places, unpack(messages)) or {}
    for i, seq in ipairs(seqs) do
        local message, sender, at_ms, joined, row = cmsgpack.unpack(entries[i])
        local _, ordinal, kind = cmsgpack.unpack(kinds[i])
        append_message(room, locator_of(room, message, seq), seq, ordinal, kind, sender, at_ms, joined)
        if row then
            change_message(room, seq, kind, row)
        end
    end
    if first + #seqs > room.seq then
        redis.call("UNLINK", log)
        redis.call("UNLINK", places)
        return #seqs, true
    end
    call_in_batches("HDEL", log, seqs)
    call_in_batches("HDEL", places, messages)
    return #seqs, false
end
