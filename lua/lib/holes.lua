-- holes: ordinals of messages that were deleted or recalled one by one. They are subtracted from
-- every count that covers them. The head knows the highest, so that most counts need no look.
--@include lib/keys
--@include lib/forgetting

local function add_hole(room, ordinal)
    redis.call("ZADD", room.key .. HOLES, ordinal, ordinal)
    room.top_hole = math.max(room.top_hole, ordinal)
end

-- How many holes there are above ordinal `from`, up to `to`.
local function count_holes(room, from, to)
    return redis.call("ZCOUNT", room.key .. HOLES, string.format("(%.0f", from), to)
end

-- The highest hole that is stored, nil without any.
local function highest_hole(room)
    return tonumber(redis.call("ZREVRANGE", room.key .. HOLES, 0, 0)[1])
end

-- Forget the holes up to an ordinal, which no count covers any more.
local function trim_holes(room, up_to)
    forget_up_to(room.key .. HOLES, up_to)
end

-- The same, below a floor that has been raised: it may have passed all of them.
local function drop_holes_below_floor(room)
    trim_holes(room, room.floor)
    if room.top_hole <= room.floor then
        room.top_hole = 0
    end
end
