#!lua flags=no-writes
-- subscriptions: the rooms of a user whose state changed for them after a time, and those that they
-- are no longer in.
--
-- Key        user
-- Args       since_ms int
--            since_ms: 0: all
--
-- Reply      { changed [room, at_ms int], derived [room, at_ms int], removed [room, at_ms int],
--              news flag }
--            derived: rooms above the fan-out limit, all of them, whose membership the room itself
--            confirms; news: there are rooms with news, whose copies lag
-- Cost       commands <= 2, turns <= 2 + rooms + tags * 2
--@include lib/copies

local since = since_ms * 1000
local changed, derived, removed = {}, {}, {}
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        local revision, _, _, state = read_copy(flat[i + 1])
        -- The whole millisecond of `since_ms` counts as passed.
        if revision >= since + 1000 or state == DERIVED or since == 0 then
            local list = state == GONE and removed or state == DERIVED and derived or changed
            list[#list + 1] = room
            list[#list + 1] = math.floor(revision / 1000)
        end
    end
end
return { changed, derived, removed, redis.call("EXISTS", key .. NEWS) }
