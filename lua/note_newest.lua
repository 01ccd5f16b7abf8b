#!lua
-- note_newest: note when something happened, unless something later is known of it.
--
-- Key        what happened
-- Args       at_ms int, kept_ms digits
--            at_ms: 0: only ask; kept_ms: how long it is remembered
--
-- Reply      newest_ms int   of the newest that is known, this one included; 0: nothing
-- Cost       commands <= 2, turns <= 0

local known = tonumber(redis.call("GET", key) or 0)
if at_ms > known then
    redis.call("SET", key, string.format("%.0f", at_ms), "PX", kept_ms)
    return at_ms
end
return known
