#!lua flags=allow-oom
-- changes: the rooms whose read state has changed for a user after a version.
--
-- Key        user
-- Args       app, user, settings, since int, began int
--            settings: as in lib/settings.lua
--            since: a version that the caller knows; 0: none
--            began: the version at which the snapshot began of which this is a further page, else 0
--
-- Reply      { version int, unread int, whole flag, changed [room, version int, there flag],
--              derived int, news [room], elsewhere [room] }
--            version: the user's own; unread: over all rooms, as the copies have it
--            whole: `since` is too old or unknown, so a snapshot begins
--            changed: in no order; with the version, and whether the user is there and the room
--            active. derived, news, elsewhere: as in badge
-- Cost       commands <= 12 + 5 * derived + 27 * visited,
--            turns <= 8 + 4 * rooms + 4 * sets + derived * 30 + visited * (10 + 12 * tags)
--            sets: tag sets of the user, with one tag each; derived, visited: as in badge
--@include lib/following

local version, unread, derived, forgotten, news, elsewhere = catch_up_with_rooms(key, user, settings)
-- The version may be older than what is remembered, or of a side that has ended or lost its tail.
local from = began > 0 and began or since
local whole = from == 0 or from < forgotten or from > version
local changed = {}
local flat = (whole or since < version) and redis.call("HGETALL", key) or NONE
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        local _, _, _, state, changed_at, tags = read_copy(flat[i + 1])
        local there = is_there(state, tags)
        if whole and there or not whole and changed_at > since then
            append(changed, room, changed_at, there and 1 or 0)
        end
    end
end
return { version, unread, whole and 1 or 0, changed, derived, news, elsewhere }
