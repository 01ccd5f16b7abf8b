-- batches: commands over lists of any length. A command takes a few thousand arguments at most.

local AT_ONCE = 1000 -- even, so that pairs stay together

-- Run a command on a key with all of `list`; in turns, when it is long.
local function call_in_batches(command, key, list)
    for i = 1, #list, AT_ONCE do
        redis.call(command, key, unpack(list, i, math.min(i + AT_ONCE - 1, #list)))
    end
end
