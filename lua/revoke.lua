#!lua flags=allow-oom
-- revoke: note tokens as void, at a position that rises with every call, whatever the clocks of the hosts say.
--
-- KEYS[1]    revocations   packed (user, token id, Unix s of its end) by position
-- ARGV[1]    margin_s      a revocation is forgotten when its token has ended that long ago
-- ARGV[2..]  revocations   packed
--
-- Reply      position      the store's time in ms, or one more than the last
-- Cost       commands <= 4 + tokens, turns <= 20 + tokens
--@include lib/clock

local now = now_ms()
local last = redis.call("ZRANGE", KEYS[1], -1, -1, "WITHSCORES")[2]
local position = math.max((last or 0) + 1, now)
for i = 2, #ARGV do
    redis.call("ZADD", KEYS[1], position, ARGV[i])
end

-- A few of the oldest at each call keep the set small.
local over = {}
for _, revocation in ipairs(redis.call("ZRANGE", KEYS[1], 0, 19)) do
    if cmsgpack.unpack(revocation)[3] + ARGV[1] < now / 1000 then
        over[#over + 1] = revocation
    end
end
if #over > 0 then
    redis.call("ZREM", KEYS[1], unpack(over))
end
return position
