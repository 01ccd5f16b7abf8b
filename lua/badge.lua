#!lua flags=allow-oom
-- badge: unread over the user's rooms that carry every one of the tags; without tags, over all.
--
-- Key        user
-- Args       app, user, settings, ...tags
--
-- Reply      { unread int, derived int, news [room], elsewhere [room] }   derived: how many such
--            rooms the user is in; news, elsewhere: rooms with news, and derived ones, that the
--            caller must visit
-- Cost       commands <= 12 + sets / 1000 + 5 * derived + 27 * visited,
--            turns <= 8 + 2 * asked + sets * (4 + tags) + derived * (2 + tags)
--            + visited * (10 + 12 * tags)
--            sets: tag sets of the user; derived: derived rooms, of which 256 are asked here;
--            visited: rooms with news, of which 512 are visited here, fewer when they have many
--            tags or other tags than before; on the split plan none is asked or visited here
--@include lib/copies
--@include lib/sets
--@include lib/arrays
--@plan

local asked, number = asked_tags(tags)

local function has_all(set)
    return number == 0 or count_asked(set, asked) == number
end

local tag = number == 1 and UNREAD_OF_TAG .. next(asked) or SUMS
local have = redis.call("HMGET", key, SUMS, tag)
local _, unread, with_news, derived = read_sums(have[1])
local found, news, elsewhere = NONE, NONE, NONE
if with_news == 1 or derived > 0 then
    local total
    found, news, elsewhere, total = visit_rooms(key, user, settings, with_news, derived)
    if total and number == 0 then
        unread, derived = total, 0
    else
        have = redis.call("HMGET", key, SUMS, tag)
        _, unread, _, derived = read_sums(have[1])
    end
end
if number == 1 then
    unread = tonumber(have[2] or 0)
elseif number > 1 then
    unread = sum_sets(key, has_all)
end
for _, room in ipairs(found) do
    if has_all(room[2]) then
        unread = unread + room[1]
    end
end
return { unread, derived, news, elsewhere }
