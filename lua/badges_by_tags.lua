#!lua flags=allow-oom
-- badges_by_tags: unread per tag, and over the rooms that carry any of the tags; without tags, for
-- every tag of the user's rooms.
--
-- Key        user
-- Args       app, user, settings, ...tags
--
-- Reply      { total int, by_tag [tag, unread int], derived int, news [room], elsewhere [room] }
--            derived: how many such rooms the user is in; news, elsewhere: rooms with news, and
--            derived ones, that the caller must visit
-- Cost       commands <= 12 + (sets + tags * (sets + derived) + asked) / 1000 + 5 * derived
--            + 27 * visited,
--            turns <= 8 + 6 * asked + sets * (4 + 5 * tags) + derived * (2 + 5 * tags)
--            + visited * (10 + 12 * tags)
--            sets: tag sets of the user; derived: derived rooms, of which 256 are asked here;
--            visited: rooms with news, of which 512 are visited here, fewer when they have many
--            tags or other tags than before; on the split plan none is asked or visited here
--@include lib/copies
--@include lib/sets
--@plan

local asked, number = asked_tags(tags)
local counts, names = {}, {}

local function count(tag, unread)
    if not counts[tag] then
        counts[tag], names[#names + 1] = 0, tag
    end
    counts[tag] = counts[tag] + unread
end

-- Count nothing yet for the tags that are answered whatever is found: those asked for, or all of
-- this set.
local function name_tags(set)
    for tag in each_tag(set) do
        count(tag, 0)
    end
end

local _, _, with_news, derived = load_sums(key)
local found, news, elsewhere = {}, {}, {}
if with_news == 1 or derived > 0 then
    found, news, elsewhere = visit_rooms(key, user, settings, with_news, derived)
    _, _, _, derived = load_sums(key)
end

for _, tag in ipairs(tags) do
    count(tag, 0)
end
local total = sum_sets(key, function(set)
    if number > 0 then
        return count_asked(set, asked) > 0
    end
    name_tags(set)
    return true
end)
local fields = {}
for i, tag in ipairs(names) do
    fields[i] = UNREAD_OF_TAG .. tag
end
for i, unread in ipairs(values_of(key, fields)) do
    counts[names[i]] = unread
end

for _, room in ipairs(found) do
    local unread, counted = room[1], false
    for tag in each_tag(room[2]) do
        if number == 0 or asked[tag] then
            count(tag, unread)
            counted = true
        end
    end
    if counted then
        total = total + unread
    end
end

local by_tag = {}
for _, tag in ipairs(names) do
    by_tag[#by_tag + 1] = tag
    by_tag[#by_tag + 1] = counts[tag]
end
return { total, by_tag, derived, news, elsewhere }
