-- set_counts: how far back counts reach that were set by hand. Such a count may cover holes that
-- every cursor has passed.
--@include lib/keys

-- The lowest ordinal that any count was set to, or from; nil when none was.
local function lowest_set_count(room)
    return tonumber(redis.call("HGET", room.key .. UNREAD_OVERRIDES, SEPARATOR))
end

local function note_set_count(room, from, to)
    local lowest, touched = lowest_set_count(room), math.min(from, to)
    if not lowest or lowest > touched then
        redis.call("HSET", room.key .. UNREAD_OVERRIDES, SEPARATOR, string.format("%.0f", touched))
    end
end
