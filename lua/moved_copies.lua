#!lua flags=allow-oom
-- moved_copies: the copies of a user that have changed after a version, with what is counted, for
-- devices that are told of each change.
--
-- Key        user
-- Args       app, user, settings, since int
--            settings: as in lib/settings.lua
--            since: a version up to which all is told; 0: only ask for the present one
--
-- Reply      { version int, unread int, lost flag,
--              moved [room, version int, unread int, tags tagset, there flag],
--              derived int, news [room], elsewhere [room] }
--            version, unread, there, derived, news, elsewhere: as in changes
--            lost: `since` is too old or unknown, so `moved` is not all
-- Cost       commands <= 12 + 5 * derived + 27 * visited,
--            turns <= 8 + 4 * rooms + 4 * sets + derived * 30 + visited * (10 + 12 * tags)
--            as in changes
--@include lib/following

local version, unread, derived, forgotten, news, elsewhere = catch_up_with_rooms(key, user, settings)
local lost = since > 0 and (since < forgotten or since > version)
local moved = {}
local flat = since > 0 and since < version and not lost and redis.call("HGETALL", key) or NONE
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        local _, _, count, state, changed_at, tags = read_copy(flat[i + 1])
        if changed_at > since then
            append(moved, room, changed_at, count, tags, is_there(state, tags) and 1 or 0)
        end
    end
end
return { version, unread, lost and 1 or 0, moved, derived, news, elsewhere }
