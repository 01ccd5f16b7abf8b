#!lua flags=no-writes
-- badges_by_tags: unread per tag, and over the rooms that carry any of the tags; without tags, for every tag of the user's rooms.
--
-- KEYS[1]    user
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3..]  tags
--
-- Reply      { total, { tag, unread, ... }, elsewhere }   elsewhere: derived rooms that the caller must ask, on the split plan
-- Cost       commands <= 6 + tags * (sets + derived) + asked + 3 * derived,
--            turns <= 8 + (3 + tags * (sets + derived) + asked) * (3 + sets + derived)
--            sets: tag sets of the user; derived: rooms above the fan-out limit; none is asked on
--            the split plan
--@include lib/user
--@include lib/sets
--@plan

local key, user = KEYS[1], ARGV[2]
local found, elsewhere = {}, {}
local _, _, derived = load_sums(key)
if derived > 0 then
    found, elsewhere = ask_derived(user)
end

local tags, seen = {}, {}
local function ask_for(tag)
    if not seen[tag] then
        seen[tag] = true
        tags[#tags + 1] = tag
    end
end
if #ARGV > 2 then
    for i = 3, #ARGV do
        ask_for(ARGV[i])
    end
else
    for _, set in ipairs(redis.call("HKEYS", key .. ":s")) do
        for tag in each_tag(set) do
            ask_for(tag)
        end
    end
    for _, room in ipairs(found) do
        for tag in each_tag(room[2]) do
            ask_for(tag)
        end
    end
end

local total = sum_sets(key, function(set)
    return has_any(set, tags)
end)
for _, room in ipairs(found) do
    if has_any(room[2], tags) then
        total = total + room[1]
    end
end
local counts = {}
for _, tag in ipairs(tags) do
    local unread = tonumber(redis.call("HGET", key, "t" .. tag) or 0)
    for _, room in ipairs(found) do
        if has_tag(room[2], tag) then
            unread = unread + room[1]
        end
    end
    counts[#counts + 1] = tag
    counts[#counts + 1] = unread
end
return { total, counts, elsewhere }
