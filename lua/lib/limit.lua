-- limit: how many members of a room are told of a change at most: the fan-out limit.
--@include lib/tags
--@include lib/settings

-- An update takes a cell for the copy, one for the sums and one for each tag. So many cells a
-- member of the fan-out limit may have: a room with many tags passes the limit with fewer members.
local CELLS_FOR_EACH = 8

-- Whether updating so many members takes more than a share of what the limit allows.
local function is_beyond(room, members, settings, share)
    local limit = parse_settings(settings).members
    local cells = members * 2
    -- Most rooms are too small for their tags to matter.
    if members * 102 > limit * share * CELLS_FOR_EACH then
        cells = members * (2 + count_tags(room.tags))
    end
    return members > math.floor(limit * share) or cells > limit * share * CELLS_FOR_EACH
end
