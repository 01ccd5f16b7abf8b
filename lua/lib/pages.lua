-- pages: walking a sorted set in pages, while its members move.

-- Whether string `a` comes before `b`, byte by byte as in a sorted set; Lua's own comparison
-- depends on the server's language.
local function is_before(a, b)
    for i = 1, math.min(#a, #b) do
        local left, right = string.byte(a, i), string.byte(b, i)
        if left ~= right then
            return left < right
        end
    end
    return #a < #b
end

-- The rank of the first element behind (score, name), which need not be there any more.
local function rank_behind(key, score, name)
    local exact = string.format("%.0f", score)
    local there = redis.call("ZSCORE", key, name)
    if there and tonumber(there) == score then
        return redis.call("ZRANK", key, name) + 1
    end
    local low = redis.call("ZCOUNT", key, "-inf", "(" .. exact)
    local high = low + redis.call("ZCOUNT", key, exact, exact)
    while low < high do
        local middle = math.floor((low + high) / 2)
        if is_before(name, redis.call("ZRANGE", key, middle, middle)[1]) then
            high = middle
        else
            low = middle + 1
        end
    end
    return low
end

-- Up to `limit` elements with scores `from` to `to` behind (score, name), a score of -1: from the
-- beginning. Returns them, whether there are more, and the score and name of the last.
local function after_place(key, from, to, score, name, limit)
    local first
    if score < from then
        first = redis.call("ZCOUNT", key, "-inf", "(" .. string.format("%.0f", from))
    else
        first = rank_behind(key, score, name)
    end
    local beyond = to == math.huge and redis.call("ZCARD", key)
        or redis.call("ZCOUNT", key, "-inf", string.format("%.0f", to))
    local found = first < beyond and redis.call("ZRANGE", key, first, math.min(first + limit, beyond) - 1) or {}
    if #found > 0 then
        -- Asked for once: to write out every score takes the server longer than all the rest.
        name = found[#found]
        score = tonumber(redis.call("ZSCORE", key, name))
    end
    return found, first + #found < beyond, score, name
end
