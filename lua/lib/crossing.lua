-- crossing: a room passes the fan-out limit in one direction or the other.
--@include lib/order
--@include lib/tags

-- An update takes a cell for the copy, one for the sums and one for each tag. So many cells a
-- member of the fan-out limit may have: a room with many tags passes the limit with fewer members.
local CELLS_FOR_EACH = 8

-- Whether updating all members takes more than a share of what the limit allows.
local function is_beyond(room, limit, share)
    local cells = room.member_count * 2
    -- Most rooms are too small for their tags to matter.
    if room.member_count * 102 > limit * share * CELLS_FOR_EACH then
        cells = room.member_count * (2 + count_tags(room.tags))
    end
    return room.member_count > math.floor(limit * share) or cells > limit * share * CELLS_FOR_EACH
end

-- Decide anew whether the members' counts are derived. True when that changed: then every member
-- must be updated. A record that is saved later finds its place in the order by itself.
-- The way back begins at three quarters of the limit, so that a room at the limit does not swing.
local function cross_if_due(room, limit)
    local derived = room.derived
    if is_beyond(room, limit, 1) then
        derived = true
    elseif derived and not is_beyond(room, limit, 0.75) then
        derived = false
    end
    local changed = derived ~= room.derived
    room.derived = derived
    if changed then
        redis.call("UNLINK", room.key .. BY_CURSOR)
    end
    if changed and derived then
        index(room)
    end
    return changed
end
