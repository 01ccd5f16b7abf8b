-- exporting: what is known of a member, as far as messages up to a seq are concerned.
--@include lib/room
--@include lib/journal
--@include lib/marks
--@include lib/until

-- Where a row of moves begins that ends at (cursor, at).
local function beginning_of(cursor, at, moves)
    for i = 1, #moves, 2 do
        cursor, at = cursor - moves[i], at - time_of(moves[i + 1])
    end
    return cursor, at
end

-- The rows of moves of a member, the oldest first, and where the first one begins.
local function journal_of(room, member)
    local newest = newest_chunk(member.moves)
    local _, _, _, oldest = open_chunk(load_chunk(room, member.name, newest))
    local rows, since, since_at = {}, nil, nil
    for number = oldest or newest + 1, newest do
        local chunk = load_chunk(room, member.name, number)
        local begins, ends, ended = open_chunk(chunk)
        if not begins then
            rows, since = {}, nil -- damaged: the journal begins behind it
        else
            local moves = read_moves(string.sub(chunk, begins))
            if not since then
                since, since_at = beginning_of(ends, ended, moves)
            end
            rows[#rows + 1] = moves
        end
    end
    local tail = read_moves(member.tail)
    if not since then
        since, since_at = beginning_of(member.cursor, member.at, tail)
    end
    rows[#rows + 1] = tail
    return rows, since, since_at
end

-- The moves up to seq `head`, { cursor, Unix ms, 1 when that is exact, ... }; where they begin, on
-- the room's clock, and the cursor at their end. One beyond `head` had reached it.
local function moves_up_to(room, member, head)
    local rows, since, since_at = journal_of(room, member)
    local cursor, at, moves = since, since_at, {}
    for _, row in ipairs(rows) do
        for i = 1, #row, 2 do
            if cursor < head then
                cursor, at = math.min(cursor + row[i], head), at + time_of(row[i + 1])
                local count = #moves
                moves[count + 1], moves[count + 2] = cursor, created_ms_of(room) + at
                moves[count + 3] = row[i + 1] >= 0 and 1 or 0
            end
        end
    end
    return moves, math.min(since, head), since_at, cursor
end

-- The record of a member, or of someone who has left; and whether they have.
local function load_person(room, name)
    local member = load_member(room, name)
    if member then
        return member, false
    end
    return read_member(name, redis.call("HGET", room.key .. LEAVERS, name)), true
end

-- A person as export_members answers it.
local function export_member(room, member, left, head, ordinal)
    local moves, since, since_at, cursor = moves_up_to(room, member, head)
    local mark = member.marked == 1 and mark_of(room, member.name) or 0
    left = left or member.joined > head
    return {
        member.name, left and 1 or 0, math.min(cursor, head), math.min(member.ordinal, ordinal),
        math.min(member.read, head), member.joined, mark <= head and mark or 0,
        not left and read_until_of(room, member.name) or 0, since, created_ms_of(room) + since_at, moves,
    }
end
