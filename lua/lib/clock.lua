-- clock: the store's own time, the same whichever host asks.

-- Unix milliseconds.
local function now_ms()
    local time = redis.call("TIME")
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
