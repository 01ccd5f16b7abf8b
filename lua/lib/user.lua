-- user: the user's side. Per room a stamped copy; beside it counters that always equal the sums over the copies.
--@include lib/states

-- Microseconds for which a GONE copy keeps its stamp: far longer than any news can be under way.
local GONE_KEPT = 3600 * 1000000

local function each_tag(tags)
    return string.gmatch(tags, "[^" .. TAG_SEPARATOR .. "]+")
end

-- What all members of a room are told alike at one revision. `fields` are those of the user's hash that may move; the copy first.
local function news_of(id, rev, born, tags)
    local fields = { "r" .. id, "v", "*", "d" }
    if tags ~= "" then
        fields[5] = "s" .. tags
        for tag in each_tag(tags) do
            fields[#fields + 1] = "t" .. tag
        end
    end
    return { id = id, rev = rev, born = born, tags = tags, fields = fields }
end

-- A copy: revision, cursor, unread, state, version at which it last changed visibly, tag set.
local function pack_copy(rev, cursor, unread, state, version, tags)
    return cmsgpack.pack(rev, cursor, unread, state, version, tags)
end

-- Let a room that was not counted count with `unread` under its tag set.
local function count_room(key, tags, unread)
    redis.call("HINCRBY", key, "*", unread)
    if tags == "" then
        return
    end
    redis.call("HINCRBY", key .. ":s", tags, 1)
    redis.call("HINCRBY", key, "s" .. tags, unread)
    for tag in each_tag(tags) do
        redis.call("HINCRBY", key, "t" .. tag, unread)
    end
end

-- Forget a tag set that no counted room carries any more, and those of its tags that are in no other set.
local function forget_tags(key, tags)
    redis.call("HDEL", key .. ":s", tags)
    redis.call("HDEL", key, "s" .. tags)
    local kept = {}
    for _, set in ipairs(redis.call("HKEYS", key .. ":s")) do
        for tag in each_tag(set) do
            kept[tag] = true
        end
    end
    for tag in each_tag(tags) do
        if not kept[tag] then
            redis.call("HDEL", key, "t" .. tag)
        end
    end
end

local function uncount_room(key, tags, unread)
    redis.call("HINCRBY", key, "*", -unread)
    if tags == "" then
        return
    end
    redis.call("HINCRBY", key, "s" .. tags, -unread)
    for tag in each_tag(tags) do
        redis.call("HINCRBY", key, "t" .. tag, -unread)
    end
    if redis.call("HINCRBY", key .. ":s", tags, -1) == 0 then
        forget_tags(key, tags)
    end
end

-- Remember when a room was left; drop the stamps of rooms left long ago.
local function mark_gone(key, id, rev)
    redis.call("ZADD", key .. ":g", rev, id)
    for _, old in ipairs(redis.call("ZRANGEBYSCORE", key .. ":g", "-inf", rev - GONE_KEPT, "LIMIT", 0, 16)) do
        redis.call("HDEL", key, "r" .. old)
        redis.call("ZREM", key .. ":g", old)
    end
end

-- Move a room between being counted, derived, frozen and gone, or from one tag set to another.
local function recount(key, news, old_state, old_tags, old_unread, state, unread)
    if old_state == ACTIVE then
        uncount_room(key, old_tags, old_unread)
    elseif old_state == DERIVED and state ~= DERIVED then
        redis.call("SREM", key .. ":d", news.id)
        redis.call("HINCRBY", key, "d", -1)
    elseif old_state == GONE and state ~= GONE then
        redis.call("ZREM", key .. ":g", news.id)
    end
    if state == ACTIVE then
        count_room(key, news.tags, unread)
    elseif state == DERIVED and old_state ~= DERIVED then
        redis.call("SADD", key .. ":d", news.id)
        redis.call("HINCRBY", key, "d", 1)
    elseif state == GONE then
        mark_gone(key, news.id, news.rev)
    end
end

-- The one way in which a user's side changes: replace the copy of a room by newer news and move every counter by the
-- difference. An older or equal stamp changes nothing.
-- Returns the user's total, how many derived rooms there are, and the copy's cursor when it is ahead of its room's (else 0).
local function apply(key, news, cursor, unread, state)
    local have = redis.call("HMGET", key, unpack(news.fields))
    local total, derived = tonumber(have[3] or 0), tonumber(have[4] or 0)
    local version = tonumber(have[2] or 0)
    local old_rev, old_cursor, old_unread, old_state, old_version, old_tags = 0, 0, 0, GONE, 0, ""
    if have[1] then
        old_rev, old_cursor, old_unread, old_state, old_version, old_tags = cmsgpack.unpack(have[1])
        if old_rev >= news.rev then
            return total, derived, 0
        end
    end
    local ahead = 0
    if old_state ~= GONE and state ~= GONE and old_cursor > cursor and old_rev >= news.born then
        -- The room lost this cursor in a failover. It must not go back: keep it and let the caller tell the room.
        cursor, ahead = old_cursor, old_cursor
    end
    local tags = state == ACTIVE and news.tags or ""
    if old_cursor ~= cursor or old_unread ~= unread or old_state ~= state or old_tags ~= tags then
        old_version, version = version + 1, version + 1
    end
    local copy = pack_copy(news.rev, cursor, unread, state, old_version, tags)
    if old_state == ACTIVE and state == ACTIVE and old_tags == tags then
        local more = unread - old_unread
        if more == 0 then
            redis.call("HSET", key, news.fields[1], copy, "v", version)
            return total, derived, ahead
        end
        local write = { news.fields[1], copy, "v", version, "*", total + more }
        for i = 5, #news.fields do
            write[#write + 1] = news.fields[i]
            write[#write + 1] = tonumber(have[i]) + more
        end
        redis.call("HSET", key, unpack(write))
        return total + more, derived, ahead
    end
    recount(key, news, old_state, old_tags, old_unread, state, unread)
    redis.call("HSET", key, news.fields[1], copy, "v", version)
    have = redis.call("HMGET", key, "*", "d")
    return tonumber(have[1] or 0), tonumber(have[2] or 0), ahead
end
