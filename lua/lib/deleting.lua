-- deleting: remove one message from every count.
--@include lib/room
--@include lib/messages
--@include lib/updates
--@include lib/hidden

-- Flag the message at `seq` as DELETED or RECALLED, and lower the unread of all who have not passed
-- it.
local function remove_from_counts(room, seq, ordinal, kind, flag)
    raise_revision(room)
    local _, row = flags_at(room, seq)
    change_message(room, seq, kind + flag, row)
    local counted = kind % 2 == COUNTABLE and kind < DELETED
    if counted then
        add_hole(room, ordinal)
    end
    if flag == DELETED then
        room.deleted_count = room.deleted_count + 1
        redis.call("ZADD", room.key .. DELETED_SEQS, seq, seq)
        hide(room, seq)
    end
    save_head(room)
    if counted then
        push_to_attentive(room, ordinal)
    end
end
