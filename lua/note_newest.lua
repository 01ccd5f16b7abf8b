#!lua
-- note_newest: note when something happened, unless something later is known of it.
--
-- KEYS[1]    what
-- ARGV[1]    at_ms      Unix ms, 0: only ask
-- ARGV[2]    kept_ms    how long it is remembered
--
-- Reply      Unix ms of the newest that is known, this one included; 0: nothing
-- Cost       commands <= 2, turns <= 0

local at_ms = tonumber(ARGV[1])
local known = tonumber(redis.call("GET", KEYS[1]) or 0)
if at_ms > known then
    redis.call("SET", KEYS[1], string.format("%.0f", at_ms), "PX", ARGV[2])
    return at_ms
end
return known
