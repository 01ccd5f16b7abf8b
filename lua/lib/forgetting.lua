-- forgetting: what nothing asks for any more is removed from a sorted set some at a time, however
-- much has gathered.

local FORGOTTEN_SCORES_AT_ONCE = 10000

-- Remove what stands at most at `score` (as ZCOUNT has it) from a set: all of it when that is the
-- whole set, else the lowest ones first. What stays for the next time must do no harm.
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
