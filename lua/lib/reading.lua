-- reading: a member reads a room up to one of its messages.
--@include lib/members
--@include lib/messages
--@include lib/updates
--@include lib/notices
--@include lib/journal
--@include lib/marks
--@include lib/events
--@plan

-- Move the member's cursor and count to the message at `seq` / `message_ordinal`, as far as that is
-- forward, and announce it. `record`: the member's, as it is stored; `shard`: of the events, "" for
-- none. Returns the reply of mark_read.
local function read_up_to(
    room, user, record, message, seq, message_ordinal, settings, shard, with_badge
)
    local cursor, ordinal, attentive_until, read, joined, at, moves, marked, tail = read_record(record)
    if seq <= read and message_ordinal <= ordinal and marked == 0 then
        -- A retry or an older device: the later position stands, and that is no error. Its message
        -- may be forgotten; then the asked one is named.
        push_pending(room)
        local kept = message_id_at(room, read)
        return { kept or message, read, 0, unread_after(room, ordinal), false }
    end
    raise_revision(room)
    local before = cursor
    local counts = seq > cursor or message_ordinal > ordinal
    if seq > cursor then
        at, moves, tail = note_move(room, user, cursor, seq, at, moves, tail, settings)
        cursor = seq
    end
    if seq < read then
        seq, message = read, message_id_at(room, read) or message
    end
    if marked == 1 then
        clear_mark(room, user)
    end
    ordinal = math.max(ordinal, message_ordinal)
    attentive_until = attend(room, user, attentive_until, settings)
    save_record(room, user, cursor, ordinal, attentive_until, seq, joined, at, moves, 0, tail)
    local unread = unread_after(room, ordinal)
    push_to_member(room, user, cursor, ordinal, attentive_until)
    local reply = { message, seq, 1, unread, with_badge and pushed_badge(user, settings) }
    local notice = read_notice(room_id(room.key), user, message, seq)
    if counts and shard ~= "" then
        emit(room, shard, pack_entry(notice, before, unread, room.revision))
    end
    publish_packed(room, notice)
    return reply
end
