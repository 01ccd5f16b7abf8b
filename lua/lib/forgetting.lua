-- forgetting: members of a sorted set that nothing asks for any more are removed, some at a time,
-- however many have gathered.

local FORGOTTEN_SCORES_AT_ONCE = 10000

-- Remove the members of a set with scores up to `score` (as ZCOUNT has it): all of them when they
-- are the whole set, else the lowest ones first. The others stay for the next time, and must do no
-- harm.
local function forget_up_to(key, score)
    local passed = redis.call("ZCOUNT", key, "-inf", score)
    if passed == 0 then
        return
    end
    if passed == redis.call("ZCARD", key) then
        redis.call("UNLINK", key)
    else
        redis.call("ZREMRANGEBYRANK", key, 0, math.min(passed, FORGOTTEN_SCORES_AT_ONCE) - 1)
    end
end
