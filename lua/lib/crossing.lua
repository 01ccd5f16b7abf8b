-- crossing: a room passes the fan-out limit in one direction or the other.
--@include lib/order

-- Decide anew whether the members' counts are derived; true when that changed, and then every member must be told. A record that is saved
-- later finds its place in the order by itself.
-- The way back begins at three quarters of the limit, so that a room at the limit does not swing.
local function cross_if_due(room, limit)
    local derived = room.derived
    if room.size > limit then
        derived = true
    elseif room.size <= math.floor(limit * 3 / 4) then
        derived = false
    end
    local changed = derived ~= room.derived
    room.derived = derived
    if changed then
        redis.call("UNLINK", room.key .. ":c")
    end
    if changed and derived then
        index(room)
    end
    return changed
end
