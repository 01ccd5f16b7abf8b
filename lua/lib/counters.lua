-- counters: what is counted over the copies of a user's side, except for the sums.
--@include lib/copies
--@include lib/tags
--@include lib/tag_sets

-- A copy of a room that was left keeps its stamp for so many microseconds: far longer than any
-- update can be under way.
local GONE_KEPT = 3600 * 1000000
local FORGOTTEN_AT_ONCE = 16 -- rooms that were left

local MOST_TEMPLATES = 256

-- Tag set -> the fields of the user's hash that go with it, worked out once: { fields, write }.
-- Nothing in it depends on any call.
local templates, template_count = {}, 0 -- kept

local function template_of(tags)
    local fields = { "", SUMS }
    local write = { "", "", SUMS, "" }
    if tags ~= "" then
        fields[3] = UNREAD_OF_TAG_SET .. tags
        for tag in each_tag(tags) do
            fields[#fields + 1] = UNREAD_OF_TAG .. tag
        end
    end
    for i = 3, #fields do
        write[2 * i - 1] = fields[i]
    end
    if template_count >= MOST_TEMPLATES then
        templates, template_count = {}, 0
    end
    templates[tags], template_count = { fields, write }, template_count + 1
    return templates[tags]
end

-- Add to the counters of a tag set, which `rooms` (1 or -1) more rooms carry now.
local function move_counters(key, tags, rooms, by)
    if tags == "" then
        return
    end
    local fields = (templates[tags] or template_of(tags))[1]
    local have, write = redis.call("HMGET", key, unpack(fields, 3)), {}
    for i = 3, #fields do
        write[2 * i - 5] = fields[i]
        write[2 * i - 4] = math.max((have[i - 2] or 0) + by, 0)
    end
    redis.call("HSET", key, unpack(write))
    local carriers = redis.call("HINCRBY", key .. TAG_SETS, tags, rooms)
    if carriers == 0 then
        forget_set(key, tags)
    elseif carriers == 1 and rooms == 1 then
        note_set(key, tags)
    end
end

-- Forget some of the rooms that were left before a revision. Returns the highest version at which
-- one of them was, else 0.
local function forget_gone(key, before)
    local rooms = redis.call("ZRANGEBYSCORE", key .. LEFT_ROOMS, "-inf", before, "LIMIT", 0, FORGOTTEN_AT_ONCE)
    if #rooms == 0 then
        return 0
    end
    redis.call("ZREM", key .. LEFT_ROOMS, unpack(rooms))
    local highest = 0
    for i, room in ipairs(rooms) do
        rooms[i] = COPY_OF .. room
    end
    for _, copy in ipairs(redis.call("HMGET", key, unpack(rooms))) do
        if copy then
            local _, _, _, _, changed_at = read_copy(copy)
            highest = math.max(highest, changed_at)
        end
    end
    redis.call("HDEL", key, unpack(rooms))
    return highest
end

-- Move a room between being counted, derived, frozen and gone, or from one tag set to another.
-- Returns the version up to which changes are forgotten by that, 0 when none is.
local function recount(key, update, old_state, old_tags, old_unread, state, unread)
    if old_state == ACTIVE then
        -- Not -old_unread: of zero that is "-0", which some servers refuse as an integer.
        move_counters(key, old_tags, -1, 0 - old_unread)
    elseif old_state == DERIVED and state ~= DERIVED then
        redis.call("SREM", key .. DERIVED_ROOMS, update.id)
    elseif old_state == GONE and state ~= GONE then
        redis.call("ZREM", key .. LEFT_ROOMS, update.id)
        redis.call("PERSIST", key)
        redis.call("PERSIST", key .. LEFT_ROOMS)
    end
    if state == ACTIVE then
        move_counters(key, update.tags, 1, unread)
    elseif state == DERIVED and old_state ~= DERIVED then
        redis.call("SADD", key .. DERIVED_ROOMS, update.id)
    elseif state == GONE then
        redis.call("ZADD", key .. LEFT_ROOMS, update.revision, update.id)
        return forget_gone(key, update.revision - GONE_KEPT)
    end
    return 0
end
