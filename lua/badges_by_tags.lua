#!lua flags=no-writes
-- badges_by_tags: unread per tag, and over the rooms that carry any of the tags; without tags, for every tag of the user's rooms.
--
-- KEYS[1]    user
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3..]  tags
--
-- Reply      { total, { tag, unread, ... }, derived, elsewhere }   derived: how many such rooms the user is in;
--            elsewhere: those that the caller must ask
-- Cost       commands <= 6 + (sets + tags * (sets + derived) + asked) / 1000 + 3 * derived,
--            turns <= 8 + 5 * asked + sets * (4 + 5 * tags) + derived * (2 + 5 * tags)
--            sets: tag sets of the user; derived: rooms above the fan-out limit, of which 256 are asked
--            here; none is asked on the split plan
--@include lib/copies
--@include lib/sets
--@plan

local key, user = KEYS[1], ARGV[2]
local asked, number = asked_tags(3)
local counts, names = {}, {}

local function count(tag, unread)
    if not counts[tag] then
        counts[tag], names[#names + 1] = 0, tag
    end
    counts[tag] = counts[tag] + unread
end

-- Count nothing yet for the tags that are answered whatever is found: those asked for, or all of this set.
local function name_tags(set)
    for tag in each_tag(set) do
        count(tag, 0)
    end
end

for i = 3, #ARGV do
    count(ARGV[i], 0)
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
    fields[i] = "t" .. tag
end
for i, unread in ipairs(values_of(key, fields)) do
    counts[names[i]] = unread
end

local _, _, derived = load_sums(key)
local found, elsewhere = {}, {}
if derived > 0 then
    found, elsewhere = ask_derived(user)
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

local reply = {}
for _, tag in ipairs(names) do
    reply[#reply + 1] = tag
    reply[#reply + 1] = counts[tag]
end
return { total, reply, derived, elsewhere }
