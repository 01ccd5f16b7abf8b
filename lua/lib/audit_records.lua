-- audit_records: what the record of one member must be.
--@include lib/audit
--@include lib/room
--@include lib/members
--@include lib/messages
--@include lib/journal
--@include lib/marks
--@include lib/set_counts

local MOST_POSTS = 1000000000 -- that a member may be told of, whatever the settings are

-- The ordinal of a cursor: that of its message; nil when it was forgotten.
local function ordinal_of(room, cursor)
    if cursor >= room.seq then
        return room.ordinal
    end
    return (select(6, message_at(room, cursor)))
end

-- A member whose record is damaged: they stand where their copy says, or else have read everything.
local function rebuilt(room, name, cursor)
    local seq = math.min(cursor or room.seq, room.seq)
    local joined = tonumber(redis.call("ZSCORE", room.key .. BY_JOINING, name)) or 0
    return {
        name = name, cursor = seq, ordinal = ordinal_of(room, seq) or room.ordinal, attentive_until = 0, read = 0,
        joined = math.min(joined, seq), at = room_clock(room), moves = 0, tail = "",
        marked = mark_of(room, name) and 1 or 0,
    }
end

local function audit_ordinal_of_record(room, member, change)
    local expected, lowest = ordinal_of(room, member.cursor), lowest_set_count(room)
    local by_hand = lowest and member.ordinal >= lowest and member.ordinal <= room.ordinal
    if expected and not by_hand then
        compare(of("ordinal", member.name), member.ordinal, expected, change("ordinal", expected))
    else
        compare_range(of("ordinal", member.name), member.ordinal, 0, room.ordinal, change("ordinal", room.ordinal))
    end
end

-- The moves at the end of the record end where the newest chunk of the journal ends.
local function audit_moves(room, member, change)
    local moves, cursor, at = read_moves(member.tail), member.cursor, member.at
    for i = 1, #moves, 2 do
        cursor, at = cursor - moves[i], at - time_of(moves[i + 1])
    end
    local is_whole = #moves / 2 == member.moves % CHUNK and cursor >= 0
    local newest = newest_chunk(member.moves)
    if is_whole and newest >= 0 then
        local _, ends, ended = open_chunk(load_chunk(room, member.name, newest))
        is_whole = ends == cursor and ended == at
    end
    compare(of("moves", member.name), is_whole and "" or member.moves, is_whole and "" or LOST, function()
        change("moves", 0)()
        change("tail", "")()
    end)
end

-- Every chunk from the oldest that is kept to the newest is there; else the journal begins behind
-- the one that is not.
local function audit_chunks_of(room, member)
    local newest = newest_chunk(member.moves)
    local begins, cursor, at, oldest = open_chunk(load_chunk(room, member.name, newest))
    for number = newest - 1, begins and math.max(oldest, 0) or newest, -1 do
        local chunk = load_chunk(room, member.name, number)
        if not open_chunk(chunk) then
            note_difference(of("journal", member.name), number, LOST, function()
                local row = string.sub(load_chunk(room, member.name, newest), begins)
                local packed = cmsgpack.pack(cursor, at, number + 1) .. row
                redis.call("HSET", room.key .. JOURNALS, chunk_field(member.name, newest), packed)
            end)
            return
        end
    end
end

-- Compare a member's record. Returns the member as they must be.
local function audit_record(room, name, record, cursor, settings)
    local member, changed = read_member(name, record), false
    local function change(field, value)
        return function()
            member[field], changed = value, true
        end
    end

    if not member or member.marked < 0 or member.marked > 1 then
        member = rebuilt(room, name, cursor)
        local source = cursor and "that of the copy" or LOST
        changed = note_difference(of("record", name), DAMAGED_VALUE, source, function() end)
    end
    local known = cursor and cursor <= room.seq and cursor or room.seq
    compare_range(of("cursor", name), member.cursor, 0, room.seq, change("cursor", known))
    member.cursor = math.min(member.cursor, room.seq)
    compare_range(of("joined", name), member.joined, 0, member.cursor, change("joined", 0))
    compare_range(of("read", name), member.read, 0, member.cursor, change("read", member.cursor))
    local most = room.ordinal + math.max(MOST_POSTS, parse_settings(settings).posts)
    compare_range(of("attentive_until", name), member.attentive_until, 0, most, change("attentive_until", room.ordinal))
    compare_range(of("at", name), member.at, 0, room_clock(room), change("at", room_clock(room)))
    audit_ordinal_of_record(room, member, change)
    audit_moves(room, member, change)
    audit_chunks_of(room, member)
    local mark = mark_of(room, name)
    local is_marked = mark and mark >= 1 and mark <= room.seq and 1 or 0
    if member.marked == 1 then
        compare(of("marked", name), 1, is_marked, change("marked", 0))
    end
    if changed then
        save_member(room, member)
    end
    return member
end
