-- order: the members of a room by their cursors (:c), for receipts and whoever else asks for them in that order.
-- In a large room it follows every move. In a small one, where nearly nobody asks, it is brought up to the records when it is asked for, which
-- writes only what has moved, and it goes again after an hour.
--@include lib/room

local AT_ONCE = 1000 -- members
local KEPT_S = 3600

local function index(room)
    local flat, scores = redis.call("HGETALL", room.key), {}
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD then
            scores[#scores + 1] = (read_record(flat[i + 1]))
            scores[#scores + 1] = flat[i]
        end
    end
    for i = 1, #scores, 2 * AT_ONCE do
        redis.call("ZADD", room.key .. ":c", unpack(scores, i, math.min(i + 2 * AT_ONCE - 1, #scores)))
    end
end

-- The key of the order, brought up to the records as they are now.
local function order_of(room)
    local order = room.key .. ":c"
    if not room.derived then
        index(room)
        redis.call("EXPIRE", order, KEPT_S, "NX")
    end
    return order
end
