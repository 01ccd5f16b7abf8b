-- sets: answers over the distinct tag sets of one user.
--@include lib/keys
--@include lib/tags

-- The tags asked for, as a table to look them up in, and how many they are.
local function asked_tags(tags)
    local asked, number = {}, 0
    for _, tag in ipairs(tags) do
        if not asked[tag] then
            asked[tag], number = true, number + 1
        end
    end
    return asked, number
end

-- How many of the tags asked for a set carries. Each set is walked once, however many tags are
-- asked for.
local function count_asked(set, asked)
    local found = 0
    for tag in each_tag(set) do
        if asked[tag] then
            found = found + 1
        end
    end
    return found
end

-- The values of many fields of a hash, in their order.
local function values_of(key, fields)
    local values = {}
    for i = 1, #fields, 1000 do
        for _, value in ipairs(redis.call("HMGET", key, unpack(fields, i, math.min(i + 999, #fields)))) do
            values[#values + 1] = tonumber(value or 0)
        end
    end
    return values
end

-- Unread over the user's counted rooms whose tag set `wanted` accepts.
local function sum_sets(key, wanted)
    local fields = {}
    for _, set in ipairs(redis.call("HKEYS", key .. TAG_SETS)) do
        if wanted(set) then
            fields[#fields + 1] = UNREAD_OF_TAG_SET .. set
        end
    end
    local total = 0
    for _, unread in ipairs(values_of(key, fields)) do
        total = total + unread
    end
    return total
end
