-- importing: members of an imported room, and those who have left it.
--@include lib/staging
--@include lib/journal
--@include lib/marks
--@include lib/until
--@include lib/set_counts
--@include lib/stays
--@include lib/messages

-- Make a journal of moves, { cursor, Unix ms, 1 when that is exact, ... }, that begins at (cursor,
-- at). Returns cursor and time at its end, how many moves, and the tail.
local function make_journal(room, member, cursor, at, moves, settings)
    local count, tail = 0, ""
    for i = 1, #moves, 3 do
        local to, now = moves[i], math.max(at, on_room_clock(room, moves[i + 1]))
        tail = tail .. cmsgpack.pack(to - cursor, moves[i + 2] == 1 and now - at or at - now - 1)
        cursor, at, count = to, now, count + 1
        if count % CHUNK == 0 then
            put_away(room, member, cursor, at, count, tail, settings)
            tail = ""
        end
    end
    return cursor, at, count, tail
end

-- The ordinal after which unread is counted for a cursor: `given`, -1 for that of its message. One
-- that is another was set by hand.
local function counted_from(room, cursor, given)
    local of_cursor = cursor >= room.seq and room.ordinal or select(6, message_at(room, cursor))
    if given < 0 then
        return of_cursor or 0
    end
    if of_cursor and given ~= of_cursor then
        note_set_count(room, of_cursor, given)
    end
    return math.min(given, room.ordinal)
end

-- A member as import_members takes them. True when they are one now; not when they have left, or
-- were there already.
local function import_member(room, packed, settings)
    local name, left, given, read, joined, marked, until_ms, since_cursor, since_ms, moves =
        unpack(cmsgpack.unpack(packed))
    if redis.call("HEXISTS", room.key, name) == 1 or redis.call("HEXISTS", room.key .. LEAVERS, name) == 1 then
        return false
    end
    local since = on_room_clock(room, since_ms)
    local cursor, at, count, tail = make_journal(room, name, since_cursor, since, moves, settings)
    local ordinal = counted_from(room, cursor, given)
    if left == 1 then
        local record = pack_record(cursor, ordinal, 0, read, joined, at, count, 0, tail)
        redis.call("HSET", room.key .. LEAVERS, name, record)
        return false
    end
    if marked > 0 then
        set_mark(room, name, string.format("%.0f", marked))
    end
    if until_ms > 0 then
        redis.call("HSET", room.key .. UNREAD_OVERRIDES, name .. SEPARATOR, string.format("%.0f", until_ms))
    end
    if joined > 0 and joined >= room.oldest then
        redis.call("ZADD", room.key .. BY_JOINING, joined, name)
    end
    save_record(room, name, cursor, ordinal, 0, read, joined, at, count, marked > 0 and 1 or 0, tail)
    return true
end

-- A stay that has ended, { member, joined, cursor, Unix ms }, of a member who is there or has left.
local function import_stay(room, packed)
    local name, joined, cursor, ended_ms = unpack(cmsgpack.unpack(packed))
    local leavers = room.key .. LEAVERS
    if redis.call("HEXISTS", room.key, name) == 0 and redis.call("HEXISTS", leavers, name) == 0 then
        return
    end
    local stay = stay_of(name, joined)
    redis.call("ZADD", room.key .. STAYS_BY_CURSOR, cursor, stay)
    redis.call("ZADD", room.key .. STAYS_BY_JOINING, joined, stay)
    redis.call("HSET", leavers, stay, cmsgpack.pack(cursor, on_room_clock(room, ended_ms)))
end
