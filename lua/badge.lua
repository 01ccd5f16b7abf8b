#!lua flags=no-writes
-- badge: unread over the user's rooms that carry every one of the tags; without tags, over all.
--
-- Key        user
-- Args       app, user, ...tags
--
-- Reply      { unread int, derived int, elsewhere [room] }   derived: how many such rooms the user
--            is in; elsewhere: those that the caller must ask
-- Cost       commands <= 4 + sets / 1000 + 3 * derived,
--            turns <= 8 + 2 * asked + sets * (4 + tags) + derived * (2 + tags)
--            sets: tag sets of the user; derived: rooms above the fan-out limit, of which 256 are
--            asked here; none is asked on the split plan
--@include lib/copies
--@include lib/sets
--@plan

local asked, number = asked_tags(tags)

local function has_all(set)
    return number == 0 or count_asked(set, asked) == number
end

local have = redis.call("HMGET", key, SUMS, number == 1 and UNREAD_OF_TAG .. next(asked) or SUMS)
local _, unread, derived = read_sums(have[1])
if number == 1 then
    unread = tonumber(have[2] or 0)
elseif number > 1 then
    unread = sum_sets(key, has_all)
end
if derived == 0 then
    return { unread, 0, {} }
end
local found, elsewhere = ask_derived(key, user)
for _, room in ipairs(found) do
    if has_all(room[2]) then
        unread = unread + room[1]
    end
end
return { unread, derived, elsewhere }
