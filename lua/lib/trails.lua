-- trails: where a member's cursor stood at a time, and every place that it has reached since.
--@include lib/journal

-- The moves after `since` from the newest to the oldest, { at, cursor, ... }, and the cursor before
-- them. Moves that have been forgotten count as none.
local function moves_back_to(room, member, since)
    local back = {}
    local cursor, at = member.cursor, member.at
    local number, row = newest_chunk(member.moves) + 1, member.tail
    while row and at > since do
        local moves = read_moves(row)
        for i = #moves - 1, 1, -2 do
            if at <= since then
                break
            end
            back[#back + 1] = at
            back[#back + 1] = cursor
            cursor, at = cursor - moves[i], at - time_of(moves[i + 1])
        end
        number = number - 1
        local chunk = load_chunk(room, member.name, number)
        local begins = open_chunk(chunk)
        row = begins and string.sub(chunk, begins)
    end
    return back, cursor
end

-- { cursor at `since`, 0, cursor, at, ... }; {} when it has not moved since then.
local function trail_since(room, member, since)
    local back, cursor = moves_back_to(room, member, since)
    if #back == 0 then
        return back
    end
    local trail = { cursor, 0 }
    for i = #back, 2, -2 do
        trail[#trail + 1] = back[i]
        trail[#trail + 1] = back[i - 1]
    end
    return trail
end
