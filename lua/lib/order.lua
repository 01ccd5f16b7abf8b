-- order: the members of a room by their cursors. In a large room it follows every move. In a small
-- one it is seldom asked for: then it is brought up to the records, which writes only what has
-- moved, and it goes again after an hour.
--@include lib/members

local MEMBERS_AT_ONCE = 1000
local ORDER_KEPT_S = 3600

local function index(room)
    local flat, scores = redis.call("HGETALL", room.key), {}
    for i = 1, #flat, 2 do
        local cursor = flat[i] ~= HEAD and read_record(flat[i + 1])
        if cursor then
            scores[#scores + 1] = cursor
            scores[#scores + 1] = flat[i]
        end
    end
    for i = 1, #scores, 2 * MEMBERS_AT_ONCE do
        local last = math.min(i + 2 * MEMBERS_AT_ONCE - 1, #scores)
        redis.call("ZADD", room.key .. BY_CURSOR, unpack(scores, i, last))
    end
end

-- The key of the order, brought up to the records as they are now.
local function order_of(room)
    local order = room.key .. BY_CURSOR
    if not room.large then
        index(room)
        redis.call("EXPIRE", order, ORDER_KEPT_S, "NX")
    end
    return order
end
