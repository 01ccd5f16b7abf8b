#!lua flags=no-writes
-- subscriptions: the rooms of a user whose state changed for them after a time, and those that they are no longer in.
--
-- KEYS[1]    user
-- ARGV[1]    since_ms   Unix ms, 0: all
--
-- Reply      { changed, derived, removed }   each { room, at_ms, ... }; derived: rooms above the fan-out limit, all of them, whose
--            membership the room itself confirms
-- Cost       commands <= 1, turns <= 2 + rooms + tags * 2
--@include lib/copies

local since = tonumber(ARGV[1]) * 1000
local changed, derived, removed = {}, {}, {}
local flat = redis.call("HGETALL", KEYS[1])
for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 1) == "r" then
        local rev, _, _, state = read_copy(flat[i + 1])
        -- The whole millisecond of `since` counts as passed.
        if rev >= since + 1000 or state == DERIVED or since == 0 then
            local list = state == GONE and removed or state == DERIVED and derived or changed
            list[#list + 1] = string.sub(flat[i], 2)
            list[#list + 1] = math.floor(rev / 1000)
        end
    end
end
return { changed, derived, removed }
