#!lua flags=no-writes
-- badge: unread over the user's rooms that carry every one of the tags; without tags, over all of them.
--
-- KEYS[1]    user
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3..]  tags
--
-- Reply      { unread, elsewhere }   elsewhere: derived rooms that the caller must ask, on the split plan
-- Cost       commands <= 4 + sets / 1000 + 3 * derived, turns <= 8 + (sets + derived) * (3 + asked)
--            sets: tag sets of the user; derived: rooms above the fan-out limit; none is asked on
--            the split plan
--@include lib/copies
--@include lib/sets
--@plan

local key, user = KEYS[1], ARGV[2]
local tags = {}
for i = 3, #ARGV do
    tags[#tags + 1] = ARGV[i]
end
local have = redis.call("HMGET", key, SUMS, #tags == 1 and "t" .. tags[1] or SUMS)
local _, unread, derived = read_sums(have[1])
if #tags == 1 then
    unread = tonumber(have[2] or 0)
elseif #tags > 1 then
    unread = sum_sets(key, function(set)
        return has_all(set, tags)
    end)
end
if derived == 0 then
    return { unread, {} }
end
local found, elsewhere = ask_derived(user)
for _, room in ipairs(found) do
    if has_all(room[2], tags) then
        unread = unread + room[1]
    end
end
return { unread, elsewhere }
