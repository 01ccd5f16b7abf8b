-- user: the user's side. Per room a stamped copy; beside it counters that always equal the sums over the copies.
--@include lib/copies
--@include lib/tags
--@include lib/tag_sets

local GONE_KEPT = 3600 * 1000000 -- microseconds for which a GONE copy keeps its stamp: far longer than any news can be under way
local ROOMLESS_KEPT_S = 24 * 3600 -- for so long the side of a user who is in no room stays

local MOST_FORMS = 256

-- Tag set -> the fields of the user's hash that go with it, worked out once: { fields, write }. Nothing in it depends on any call.
local forms, form_count = {}, 0 -- kept

local function form_of(tags)
    local fields = { "", SUMS }
    local write = { "", "", SUMS, "" }
    if tags ~= "" then
        fields[3] = "s" .. tags
        for tag in each_tag(tags) do
            fields[#fields + 1] = "t" .. tag
        end
    end
    for i = 3, #fields do
        write[2 * i - 1] = fields[i]
    end
    if form_count >= MOST_FORMS then
        forms, form_count = {}, 0
    end
    forms[tags], form_count = { fields, write }, form_count + 1
    return forms[tags]
end

-- What all members of a room are told alike at one revision. `fields` are those of the user's hash that may move, the copy first;
-- `write` is filled in anew for each member.
local function news_of(id, rev, born, tags)
    local form = forms[tags] or form_of(tags)
    local fields, write = form[1], form[2]
    fields[1] = "r" .. id
    write[1] = fields[1]
    return { rev = rev, born = born, tags = tags, id = id, fields = fields, write = write }
end

-- Add to the counters of a tag set, which `rooms` (1 or -1) more rooms carry now.
local function move_counters(key, tags, rooms, by)
    if tags == "" then
        return
    end
    local fields = (forms[tags] or form_of(tags))[1]
    local have, write = redis.call("HMGET", key, unpack(fields, 3)), {}
    for i = 3, #fields do
        write[2 * i - 5] = fields[i]
        write[2 * i - 4] = (have[i - 2] or 0) + by
    end
    redis.call("HSET", key, unpack(write))
    local carriers = redis.call("HINCRBY", key .. ":s", tags, rooms)
    if carriers == 0 then
        forget_set(key, tags)
    elseif carriers == 1 and rooms == 1 then
        note_set(key, tags)
    end
end

-- Forget some of the rooms that were left before a revision.
local function forget_gone(key, before)
    local rooms = redis.call("ZRANGEBYSCORE", key .. ":g", "-inf", before, "LIMIT", 0, 16)
    if #rooms > 0 then
        redis.call("ZREM", key .. ":g", unpack(rooms))
        for i, room in ipairs(rooms) do
            rooms[i] = "r" .. room
        end
        redis.call("HDEL", key, unpack(rooms))
    end
end

-- Move a room between being counted, derived, frozen and gone, or from one tag set to another: everything but the sums.
local function recount(key, news, old_state, old_tags, old_unread, state, unread)
    if old_state == ACTIVE then
        -- Not -old_unread: of zero that is "-0", which some servers refuse as an integer.
        move_counters(key, old_tags, -1, 0 - old_unread)
    elseif old_state == DERIVED and state ~= DERIVED then
        redis.call("SREM", key .. ":d", news.id)
    elseif old_state == GONE and state ~= GONE then
        redis.call("ZREM", key .. ":g", news.id)
        redis.call("PERSIST", key)
        redis.call("PERSIST", key .. ":g")
    end
    if state == ACTIVE then
        move_counters(key, news.tags, 1, unread)
    elseif state == DERIVED and old_state ~= DERIVED then
        redis.call("SADD", key .. ":d", news.id)
    elseif state == GONE then
        redis.call("ZADD", key .. ":g", news.rev, news.id)
        forget_gone(key, news.rev - GONE_KEPT)
    end
end

-- Let the side of a user who is in no room end by itself. All its stamps are older than any news by then.
local function expire_if_roomless(key)
    if rooms_of_user(key) == 0 then
        redis.call("EXPIRE", key, ROOMLESS_KEPT_S)
        redis.call("EXPIRE", key .. ":g", ROOMLESS_KEPT_S)
    end
end

-- The one way in which a user's side changes: replace the copy of a room by newer news and move every counter by the
-- difference. An older or equal stamp changes nothing.
-- Returns the user's total, how many derived rooms there are, and the copy's cursor when it is ahead of its room's (else 0).
local function apply(key, news, cursor, unread, state)
    local fields = news.fields
    local have
    if state == ACTIVE then
        have = redis.call("HMGET", key, unpack(fields))
    else
        have = redis.call("HMGET", key, fields[1], SUMS)
    end
    local version, total, derived = read_sums(have[2])
    local old_rev, old_cursor, old_unread, old_state, changed_at, old_tags = 0, 0, 0, GONE, 0, ""
    if have[1] then
        old_rev, old_cursor, old_unread, old_state, changed_at, old_tags = read_copy(have[1])
        if old_rev >= news.rev then
            return total, derived, 0
        end
    end
    local ahead = 0
    if old_cursor > cursor and old_state ~= GONE and state ~= GONE and old_rev >= news.born then
        -- The room lost this cursor in a failover. It must not go back: keep it and let the caller tell the room.
        cursor, ahead = old_cursor, old_cursor
    end
    local tags = state == ACTIVE and news.tags or ""
    local more = unread - old_unread
    if more ~= 0 or old_cursor ~= cursor or old_state ~= state or old_tags ~= tags then
        version = version + 1
        changed_at = version
    end
    local copy = pack_copy(news.rev, cursor, unread, state, changed_at, tags)
    if old_state ~= ACTIVE or state ~= ACTIVE or old_tags ~= tags then
        recount(key, news, old_state, old_tags, old_unread, state, unread)
        total = total + (state == ACTIVE and unread or 0) - (old_state == ACTIVE and old_unread or 0)
        derived = derived + (state == DERIVED and 1 or 0) - (old_state == DERIVED and 1 or 0)
        redis.call("HSET", key, fields[1], copy, SUMS, pack_sums(version, total, derived))
        if state == GONE then
            expire_if_roomless(key)
        end
        return total, derived, ahead
    end
    total = total + more
    local sums = pack_sums(version, total, derived)
    if more == 0 then
        redis.call("HSET", key, fields[1], copy, SUMS, sums)
        return total, derived, ahead
    end
    local write = news.write
    write[2], write[4] = copy, sums
    for i = 3, #fields do
        write[2 * i] = (have[i] or 0) + more
    end
    redis.call("HSET", key, unpack(write))
    return total, derived, ahead
end
