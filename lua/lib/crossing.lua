-- crossing: a room becomes large or derived, or is no longer. The way back begins at three quarters
-- of each limit, so that a room at the limit does not swing.
--@include lib/order
--@include lib/attention
--@include lib/limit

local WALKED = 128 -- members; those of a larger room are found by indexes

-- Decide anew whether the room is large: whether it has so many members that walking over them, or
-- telling all of them, would take too long.
local function index_if_due(room, settings)
    local large = room.large
    if room.member_count > WALKED or is_beyond(room, room.member_count, settings, 1) then
        large = true
    elseif room.member_count <= WALKED * 0.75 and not is_beyond(room, room.member_count, settings, 0.75) then
        large = false
    end
    if large == room.large then
        return
    end
    room.large = large
    redis.call("UNLINK", room.key .. BY_CURSOR)
    redis.call("UNLINK", room.key .. ATTENTIVE)
    if large then
        index(room)
        index_attentive(room)
    else
        room.derived = false
    end
end

-- The room becomes derived when telling its attentive members takes too long. True when it did.
local function cross_if_due(room, settings)
    index_if_due(room, settings)
    local crossed = room.large and not room.derived
        and is_beyond(room, redis.call("SCARD", room.key .. ATTENTIVE), settings, 1)
        and is_beyond(room, count_attentive(room), settings, 1)
    room.derived = room.derived or crossed
    return crossed
end

-- A derived room is no longer derived when few members pay attention. No member has to be
-- told: all of them ask.
local function cross_back_if_due(room, settings)
    if room.derived then
        trim_attentive(room)
        room.derived = is_beyond(room, redis.call("SCARD", room.key .. ATTENTIVE), settings, 0.75)
    end
end
