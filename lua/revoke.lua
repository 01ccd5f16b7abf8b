#!lua flags=allow-oom
-- revoke: note tokens as void, at a position that rises with every call, whatever the clocks of the
-- hosts say.
--
-- Key        revocations: packed (user, token id, Unix s of its end) by position
-- Args       margin_s int, ...revoked
--            margin_s: a revocation is forgotten when its token has ended that long ago
--            revoked: packed
--
-- Reply      position int   the store's time in ms, or one more than the last
-- Cost       commands <= 4 + tokens, turns <= 20 + 2 * tokens
--@include lib/clock

local now = now_ms()
local last = redis.call("ZRANGE", key, -1, -1, "WITHSCORES")[2]
local position = math.max((last or 0) + 1, now)
for _, revocation in ipairs(revoked) do
    redis.call("ZADD", key, position, revocation)
end

-- A few of the oldest at each call keep the set small.
local over = {}
for _, revocation in ipairs(redis.call("ZRANGE", key, 0, 19)) do
    if cmsgpack.unpack(revocation)[3] + margin_s < now / 1000 then
        over[#over + 1] = revocation
    end
end
if #over > 0 then
    redis.call("ZREM", key, unpack(over))
end
return position
