-- audit_log: a walk over the log from newer to older messages. The newest one has the head's
-- ordinal, and each message one less when the next newer one is countable: what is below is held
-- against what is above.
--@include lib/audit
--@include lib/audit_entry
--@include lib/log_entries
--@include lib/room
--@include lib/terms

-- The walk: seq where it stands; `expected`: the ordinal that the message there must have; `above`:
-- the entry of the message behind it; `gap`: the highest seq of a row of missing ones that it is
-- in; `holes` and `deleted` of those that were passed; how many were looked at, and found.
local function begin_walk(room, seq)
    local walk = {
        room = room, seq = seq, top = seq, holes = {}, deleted = {}, looked = 0, found = 0, jumps = load_jumps(room),
    }
    local behind = seq + 1
    while behind <= room.seq and not load_entry(room, behind) do
        local _, last = jump_in(walk.jumps, behind)
        if not last then
            walk.gap = next_place(room, behind, 1) - 1
        end
        behind = (last or walk.gap) + 1
    end
    walk.above = load_entry(room, behind)
    walk.expected = walk.above and walk.above.ordinal - walk.above.kind % 2 or room.ordinal
    walk.high = walk.expected
    return walk
end

local function audit_message(walk)
    local room, seq = walk.room, walk.seq
    local entry = load_entry(room, seq)
    walk.seq, walk.looked = seq - 1, walk.looked + 1
    if entry then
        walk.found = walk.found + 1
        audit_entry(walk, entry)
        return
    end
    local first = jump_in(walk.jumps, seq)
    if first then
        walk.seq, walk.above = first - 1, nil
        return
    end
    walk.gap = walk.gap or seq
    walk.seq = next_place(room, seq, -1)
end
