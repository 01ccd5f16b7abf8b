-- journal: when each member's cursor moved, and how far. It answers since when a member has read a
-- message without a row for each message and member: the first move that reached it is that time.
-- A move is two numbers, how far and how long after the move before: t ms, or -1 - t when it is
-- only known to have happened by then. The newest stand at the end of the member's record, so that
-- noting one costs no command. Every CHUNK moves they are put away under "member<separator>number
-- of the chunk", each chunk behind the cursor and time at its end and the number of the oldest
-- chunk kept.
--@include lib/members
--@include lib/batches
--@include lib/settings
--@include lib/damaged

local CHUNK = 16 -- moves

local function chunk_field(member, number)
    return member .. SEPARATOR .. number
end

local function load_chunk(room, member, number)
    return number >= 0 and redis.call("HGET", room.key .. JOURNALS, chunk_field(member, number))
end

-- A chunk: where its moves begin, the cursor and time at its end, and the number of the oldest one
-- kept; nil when there is none, or it is damaged.
local function open_chunk(chunk)
    local done, behind, cursor, at, oldest = pcall(cmsgpack.unpack_limit, chunk or "", 3)
    if done and tonumber(cursor) and tonumber(at) and tonumber(oldest) then
        return behind + 1, cursor, at, oldest
    end
end

-- The number of the newest chunk after so many moves, -1 without any.
local function newest_chunk(moves)
    return math.floor(moves / CHUNK) - 1
end

-- Put the newest moves away as a chunk, and forget chunks beyond what the settings keep.
local function put_away(room, member, cursor, at, moves, tail, settings)
    local number = newest_chunk(moves)
    local _, _, _, oldest = open_chunk(load_chunk(room, member, number - 1))
    oldest = oldest or number
    local kept = parse_settings(settings)
    -- Two at most, so that shorter settings take effect step by step.
    for _ = 1, 2 do
        local chunk = oldest < number and load_chunk(room, member, oldest)
        if not chunk then
            break
        end
        local _, _, ended = open_chunk(chunk)
        if ended and (number - oldest) * CHUNK < kept.moves and ended >= at - kept.ms then
            break
        end
        redis.call("HDEL", room.key .. JOURNALS, chunk_field(member, oldest))
        oldest = oldest + 1
    end
    redis.call("HSET", room.key .. JOURNALS, chunk_field(member, number), cmsgpack.pack(cursor, at, oldest) .. tail)
end

-- Note that a member's cursor moved `from` -> `to` now, or at the latest now when it is noted
-- `late`. Returns at, moves and tail for the record.
local function note_move(room, member, from, to, at, moves, tail, settings, late)
    local now = room_clock(room)
    tail = tail .. cmsgpack.pack(to - from, late and at - now - 1 or now - at)
    moves = moves + 1
    if moves % CHUNK == 0 then
        put_away(room, member, to, now, moves, tail, settings)
        tail = ""
    end
    return now, moves, tail
end

-- Move the cursor of a member's record, and note that.
local function move_cursor(room, member, to, settings)
    member.at, member.moves, member.tail =
        note_move(room, member.name, member.cursor, to, member.at, member.moves, member.tail, settings)
    member.cursor = to
end

-- The moves of a row, two numbers each.
local function read_moves(row)
    local moves = unpack_values(row)
    -- max takes numbers alone
    return #moves % 2 == 0 and pcall(math.max, 0, unpack(moves)) and moves or {}
end

-- How long after the move before a move was noted.
local function time_of(took)
    return took < 0 and -1 - took or took
end

-- Walk a row of moves that ends at (cursor, at) back to the one that first reached `seq`: its time
-- and whether that is exact; or nil, nil and the time at which the row begins.
local function walk_back(cursor, at, row, seq)
    local moves = read_moves(row)
    for i = #moves - 1, 1, -2 do
        if cursor - moves[i] < seq then
            return at, moves[i + 1] >= 0
        end
        cursor, at = cursor - moves[i], at - time_of(moves[i + 1])
    end
    return nil, nil, at
end

-- The first of the chunks up to number `last` that reaches `seq`, nil when there is none.
local function find_chunk(room, name, last, seq)
    local chunk, high = load_chunk(room, name, last), last
    local _, _, _, low = open_chunk(chunk)
    while low and low < high do
        local middle = math.floor((low + high) / 2)
        local candidate = load_chunk(room, name, middle)
        local _, ends = open_chunk(candidate)
        if ends and ends >= seq then
            high, chunk = middle, candidate
        else
            low = middle + 1
        end
    end
    return chunk
end

-- Since when a member has read `seq`, on the room's clock, and whether that is exact. Past the end
-- of what is kept it is the oldest time that is known: they had read it by then.
local function reached(room, member, seq)
    local at, exact, since = walk_back(member.cursor, member.at, member.tail, seq)
    local chunk = not at and find_chunk(room, member.name, newest_chunk(member.moves), seq)
    local begins, ends, ended = open_chunk(chunk)
    if begins then
        at, exact, since = walk_back(ends, ended, string.sub(chunk, begins), seq)
    end
    if at then
        return at, exact
    end
    return since, false
end

-- Forget the journal of a member. Returns how many chunks that were.
local function forget_journal(room, member)
    local last = newest_chunk(member.moves)
    local chunk = load_chunk(room, member.name, last)
    if not chunk then
        return 0
    end
    local fields = {}
    local _, _, _, oldest = open_chunk(chunk)
    for number = oldest or last, last do
        fields[#fields + 1] = chunk_field(member.name, number)
    end
    call_in_batches("HDEL", room.key .. JOURNALS, fields)
    return #fields
end
