-- sets: answers over the distinct tag sets of one user.
--@include lib/states

local function has_tag(set, tag)
    return string.find(TAG_SEPARATOR .. set .. TAG_SEPARATOR, TAG_SEPARATOR .. tag .. TAG_SEPARATOR, 1, true) ~= nil
end

local function has_all(set, tags)
    for _, tag in ipairs(tags) do
        if not has_tag(set, tag) then
            return false
        end
    end
    return true
end

local function has_any(set, tags)
    for _, tag in ipairs(tags) do
        if has_tag(set, tag) then
            return true
        end
    end
    return false
end

-- Unread over the user's counted rooms whose tag set `wanted` accepts.
local function sum_sets(key, wanted)
    local fields = {}
    for _, set in ipairs(redis.call("HKEYS", key .. ":s")) do
        if wanted(set) then
            fields[#fields + 1] = "s" .. set
        end
    end
    local total = 0
    for i = 1, #fields, 1000 do
        for _, unread in ipairs(redis.call("HMGET", key, unpack(fields, i, math.min(i + 999, #fields)))) do
            total = total + tonumber(unread or 0)
        end
    end
    return total
end
