-- journal: when each member's cursor moved, and how far. It answers since when somebody has read a message without a row for each
-- message and member: the first move that reached it is that time.
-- A move is two numbers, how far and how long after the move before: t ms, or -1 - t when it is only
-- known to have happened by then. The newest stand at the end of the member's record, so that noting
-- one costs no command; every CHUNK moves they are put away in :j under "member<separator>number of
-- the chunk", each chunk behind the cursor and time at its end and the number of the oldest chunk kept.
--@include lib/room

local CHUNK = 16 -- moves
local SEPARATOR = "\31" -- no id holds it

-- Put the newest moves away as a chunk, and forget what is beyond `keep`: "<moves kept> <ms kept>".
local function put_away(room, member, cursor, at, moves, tail, keep)
    local key, field = room.key .. ":j", member .. SEPARATOR
    local kept_moves, kept_ms = string.match(keep, "^(%d+) (%d+)$")
    local number, oldest = moves / CHUNK - 1, 0
    local before = redis.call("HGET", key, field .. number - 1)
    if before then
        local _
        _, _, _, oldest = cmsgpack.unpack_limit(before, 3)
    end
    -- Two at most, so that shorter settings take effect step by step.
    for _ = 1, 2 do
        local chunk = oldest < number and redis.call("HGET", key, field .. oldest)
        if not chunk then
            break
        end
        local _, _, ended = cmsgpack.unpack_limit(chunk, 2)
        if (number - oldest) * CHUNK < tonumber(kept_moves) and ended >= at - tonumber(kept_ms) then
            break
        end
        redis.call("HDEL", key, field .. oldest)
        oldest = oldest + 1
    end
    redis.call("HSET", key, field .. number, cmsgpack.pack(cursor, at, oldest) .. tail)
end

-- Note that a member's cursor moved `from` -> `to` now, or at the latest now if that is told `late`.
-- Returns at, moves and tail for the record.
local function note_move(room, member, from, to, at, moves, tail, keep, late)
    local now = room_clock(room)
    tail = tail .. cmsgpack.pack(to - from, late and at - now - 1 or now - at)
    moves = moves + 1
    if moves % CHUNK == 0 then
        put_away(room, member, to, now, moves, tail, keep)
        tail = ""
    end
    return now, moves, tail
end

-- How long after the move before a move was noted.
local function time_of(took)
    return took < 0 and -1 - took or took
end

-- Walk a row of moves that ends at (cursor, at) back to the one that first reached `seq`: its time and
-- whether that is exact; or nil, nil and the time at which the row begins.
local function walk_back(cursor, at, row, seq)
    local moves = row == "" and {} or { cmsgpack.unpack(row) }
    for i = #moves - 1, 1, -2 do
        if cursor - moves[i] < seq then
            return at, moves[i + 1] >= 0
        end
        cursor, at = cursor - moves[i], at - time_of(moves[i + 1])
    end
    return nil, nil, at
end

-- Since when a member whose cursor, `at`, `moves` and `tail` are given has read `seq`, on the room's clock; and whether that is exact:
-- past the end of what is kept it is the oldest time that is known, and they had read it by then.
local function reached(room, member, cursor, at, moves, tail, seq)
    local when, exact, since = walk_back(cursor, at, tail, seq)
    if when then
        return when, exact
    end
    local field = member .. SEPARATOR
    local last = math.floor(moves / CHUNK) - 1
    local chunk = last >= 0 and redis.call("HGET", room.key .. ":j", field .. last)
    if not chunk then
        return since, false
    end
    local behind, ends, ended, oldest = cmsgpack.unpack_limit(chunk, 3)
    local low, high = oldest, last
    while low < high do
        local middle = math.floor((low + high) / 2)
        local candidate = redis.call("HGET", room.key .. ":j", field .. middle)
        local at_behind, at_ends, at_ended = cmsgpack.unpack_limit(candidate, 3)
        if at_ends >= seq then
            high, chunk, behind, ends, ended = middle, candidate, at_behind, at_ends, at_ended
        else
            low = middle + 1
        end
    end
    when, exact, since = walk_back(ends, ended, string.sub(chunk, behind + 1), seq)
    if when then
        return when, exact
    end
    return since, false
end

-- Where the cursor stood at `since` and every place that it reached later: { seq, 0, seq, at, ... }; {} when it has not moved since.
-- Moves that have been forgotten count as none.
local function moves_since(room, member, cursor, at, moves, tail, since)
    local back = {} -- from the newest to the oldest
    local number, row = math.floor(moves / CHUNK), tail
    while row and at > since do
        local steps = row == "" and {} or { cmsgpack.unpack(row) }
        for i = #steps - 1, 1, -2 do
            if at <= since then
                break
            end
            back[#back + 1] = at
            back[#back + 1] = cursor
            cursor, at = cursor - steps[i], at - time_of(steps[i + 1])
        end
        number = number - 1
        local chunk = number >= 0 and redis.call("HGET", room.key .. ":j", member .. SEPARATOR .. number)
        row = chunk and string.sub(chunk, (cmsgpack.unpack_limit(chunk, 3)) + 1)
    end
    if #back == 0 then
        return back
    end
    back[#back + 1] = 0
    back[#back + 1] = cursor
    local trail = {}
    for i = #back, 2, -2 do
        trail[#trail + 1] = back[i]
        trail[#trail + 1] = back[i - 1]
    end
    return trail
end

-- Forget the journal of a member who has had so many moves. Returns how many chunks that were.
local function forget_journal(room, member, moves)
    local key, field = room.key .. ":j", member .. SEPARATOR
    local last = math.floor(moves / CHUNK) - 1
    local chunk = last >= 0 and redis.call("HGET", key, field .. last)
    if not chunk then
        return 0
    end
    local fields = {}
    local _, _, _, oldest = cmsgpack.unpack_limit(chunk, 3)
    for number = oldest, last do
        fields[#fields + 1] = field .. number
    end
    for i = 1, #fields, 1000 do
        redis.call("HDEL", key, unpack(fields, i, math.min(i + 999, #fields)))
    end
    return #fields
end
