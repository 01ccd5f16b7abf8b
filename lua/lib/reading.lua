-- reading: a member reads a room up to one of its messages.
--@include lib/room
--@include lib/news
--@include lib/notices
--@include lib/journal
--@include lib/events
--@plan

-- Move the member's cursor and count to the message at `seq` / `message_ord`, as far as that is forward, and announce it.
-- `record`: the member's, as it is stored; `keep`: what of the journal; `shard`: of the events, "" for none. Returns the reply of mark_read.
local function read_up_to(room, user, record, message, seq, message_ord, keep, shard)
    local cursor, ord, read, joined, at, moves, marked, tail = read_record(record)
    if seq <= read and message_ord <= ord and marked == 0 then
        -- A retry or an older device: the later position stands, and that is no error. Its message may be forgotten; then the asked one is named.
        tell_owed(room)
        local kept = message_at(room, read)
        return { kept or message, read, 0, unread_after(room, ord), total_told() }
    end
    raise_revision(room)
    local before = cursor
    local counts = seq > cursor or message_ord > ord
    if seq > cursor then
        at, moves, tail = note_move(room, user, cursor, seq, at, moves, tail, keep)
        cursor = seq
    end
    if seq < read then
        seq, message = read, message_at(room, read) or message
    end
    if marked == 1 then
        redis.call("HDEL", room.key .. ":u", user)
    end
    ord = math.max(ord, message_ord)
    save_member(room, user, cursor, ord, seq, joined, at, moves, 0, tail)
    local unread = unread_after(room, ord)
    tell_member(room, user, cursor, ord)
    local reply = { message, seq, 1, unread, total_told() }
    local notice = read_notice(room_of(room.key), user, message, seq)
    if counts and shard ~= "" then
        emit(room, shard, pack_entry(notice, before, unread, room.rev))
    end
    publish_packed(notice)
    return reply
end
