-- tags: a room's tags as one string, sorted and joined ("canonical tag set").
--@include lib/keys

local function each_tag(tags)
    return string.gmatch(tags, "[^" .. SEPARATOR .. "]+")
end

local function tags_in(tags)
    local found = {}
    for tag in each_tag(tags) do
        found[#found + 1] = tag
    end
    return found
end

local MOST_COUNTED = 256

-- Tag set -> its number of tags. A post asks for it, and most rooms carry one of a few sets.
local tag_counts, counted = {}, 0 -- kept

local function count_tags(tags)
    if tags == "" then
        return 0
    end
    local count = tag_counts[tags]
    if not count then
        if counted >= MOST_COUNTED then
            tag_counts, counted = {}, 0
        end
        local _, separators = string.gsub(tags, SEPARATOR, "")
        count = separators + 1
        tag_counts[tags], counted = count, counted + 1
    end
    return count
end
