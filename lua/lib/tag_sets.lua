-- tag_sets: which distinct tag sets a user's counted rooms carry (TAG_SETS), and in how many of
-- them each tag is (TAG_USES). So a tag that is in no set any more is found without a look at the
-- other sets, and how many there are is known at once.
--@include lib/keys
--@include lib/tags
--@include lib/batches

local EACH_TAG_WEIGHS = 20 -- beside its bytes: what walking over it takes

-- How much work a tag set adds to a question about several tags.
local function weight_of(tags)
    return #tags + EACH_TAG_WEIGHS * count_tags(tags)
end

-- A set has come (by 1) or gone (by -1). Returns its tags that are in no set now.
local function count_set(key, tags, by)
    local names = tags_in(tags)
    local have, keep, drop = redis.call("HMGET", key, unpack(names)), {}, {}
    for i, tag in ipairs(names) do
        local sets = (have[i] or 0) + by
        if sets > 0 then
            keep[#keep + 1] = tag
            keep[#keep + 1] = sets
        else
            drop[#drop + 1] = tag
        end
    end
    if #keep > 0 then
        redis.call("HSET", key, unpack(keep))
    end
    if #drop > 0 then
        redis.call("HDEL", key, unpack(drop))
    end
    if redis.call("HINCRBY", key, WEIGHT, by * weight_of(tags)) == 0 then
        redis.call("HDEL", key, WEIGHT)
    end
    return drop
end

-- The fields of TAG_USES for these sets: in how many of them each tag is, and their weight.
local function tags_of_sets(sets)
    local counts, weight = {}, 0
    for _, set in ipairs(sets) do
        weight = weight + weight_of(set)
        for tag in each_tag(set) do
            counts[tag] = (counts[tag] or 0) + 1
        end
    end
    counts[WEIGHT] = weight > 0 and weight or nil
    return counts
end

-- A user's side that an older version has written has sets without TAG_USES. True when that was
-- made now, from all sets there are.
local function make_missing_tags(key)
    if redis.call("EXISTS", key .. TAG_USES) == 1 then
        return false
    end
    local fields = {}
    for tag, count in pairs(tags_of_sets(redis.call("HKEYS", key .. TAG_SETS))) do
        fields[#fields + 1] = tag
        fields[#fields + 1] = count
    end
    call_in_batches("HSET", key .. TAG_USES, fields)
    return true
end

-- The first room with this set is counted now.
local function note_set(key, tags)
    if not make_missing_tags(key) then
        count_set(key .. TAG_USES, tags, 1)
    end
end

-- No counted room carries this set any more: forget it, and the counters of its tags that are in no
-- other set.
local function forget_set(key, tags)
    make_missing_tags(key)
    redis.call("HDEL", key .. TAG_SETS, tags)
    local fields = { UNREAD_OF_TAG_SET .. tags }
    for _, tag in ipairs(count_set(key .. TAG_USES, tags, -1)) do
        fields[#fields + 1] = UNREAD_OF_TAG .. tag
    end
    redis.call("HDEL", key, unpack(fields))
end

-- How many more distinct tags there would be, and how much more the sets would weigh, if a room
-- that is counted with `old` ("" for none) had `tags` instead, which no counted room has. Below 0
-- when they get fewer.
local function gain_of(key, old, tags)
    local names, kept, more, weight = tags_in(tags), {}, 0, weight_of(tags)
    for i, sets in ipairs(redis.call("HMGET", key .. TAG_USES, unpack(names))) do
        kept[names[i]] = true
        more = more + (sets and 0 or 1)
    end
    if old == "" or redis.call("HGET", key .. TAG_SETS, old) ~= "1" then
        return more, weight
    end
    local going = tags_in(old)
    for i, sets in ipairs(redis.call("HMGET", key .. TAG_USES, unpack(going))) do
        if sets == "1" and not kept[going[i]] then
            more = more - 1
        end
    end
    return more, weight - weight_of(old)
end

-- How many distinct tags there are, and the weight of the sets.
local function tags_of_user(key)
    local fields = redis.call("HLEN", key .. TAG_USES)
    return math.max(fields - 1, 0), tonumber(redis.call("HGET", key .. TAG_USES, WEIGHT) or 0)
end

-- Limits that hold whatever other users do to the rooms of this one: tags of rooms change while a
-- copy lags, so no check before a change can see all of them.
local MOST_TAGS = 2000
local MOST_WEIGHT = 2000000

-- Whether a room with these tags may be counted at the user; otherwise it is asked each time.
local function may_count(key, tags)
    if tags == "" or redis.call("HEXISTS", key .. TAG_SETS, tags) == 1 then
        return true
    end
    local known, weight = tags_of_user(key)
    return known + count_tags(tags) <= MOST_TAGS and weight + weight_of(tags) <= MOST_WEIGHT
end

-- How many rooms a user is in, frozen and derived ones included: what is in the hash besides the
-- sums, sets, tags and the rooms that were left.
local function rooms_of_user(key)
    local fields = redis.call("HLEN", key)
    if fields == 0 then
        return 0
    end
    local tags = tags_of_user(key)
    return fields - 1 - redis.call("HLEN", key .. TAG_SETS) - tags - redis.call("ZCARD", key .. LEFT_ROOMS)
end
