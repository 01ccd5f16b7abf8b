-- user: the user's side: per room a stamped copy, and counters that equal the sums over the copies.
--@include lib/counters
--@include lib/arrays

local ROOMLESS_KEPT_S = 24 * 3600 -- for so long the side of a user who is in no room stays

-- The update of a room at one revision, the same for all its members. `fields` are those of the
-- user's hash that may move, the copy first; `write` is filled in anew for each member.
local function make_update(id, revision, created_revision, tags)
    local template = templates[tags] or template_of(tags)
    local fields, write = template[1], template[2]
    fields[1] = COPY_OF .. id
    write[1] = fields[1]
    return {
        revision = revision, created_revision = created_revision, tags = tags, id = id, fields = fields, write = write,
        at_ms = math.floor(revision / 1000),
    }
end

-- Let the side of a user who is in no room end. Its stamps are older than any update by then.
local function expire_if_roomless(key)
    if rooms_of_user(key) == 0 then
        redis.call("EXPIRE", key, ROOMLESS_KEPT_S)
        redis.call("EXPIRE", key .. LEFT_ROOMS, ROOMLESS_KEPT_S)
    end
end

-- A room is up to date as of a revision: earlier news of it is none. Returns whether there are
-- rooms with news, 1 or 0, and whether there is later news of this one.
local function drop_news(key, id, revision)
    local noted = redis.call("ZSCORE", key .. NEWS, id)
    if not noted or tonumber(noted) > revision then
        return 1, noted
    end
    redis.call("ZREM", key .. NEWS, id)
    return redis.call("EXISTS", key .. NEWS), false
end

local UNLISTED = 2

-- The one way in which a copy changes: replace it by a newer update and move every counter by the
-- difference. An older or equal stamp changes nothing; but a visit raises no revision, so it may
-- replace a derived copy of the same one. `still`: whether there are rooms with news then, 1 or 0;
-- UNLISTED: this one is not on the list; nil: if it is, take it off.
-- Returns the user's total, how many derived rooms there are, whether there are rooms with news (1
-- or 0), the copy's cursor when it is ahead of its room's (else 0), the copy's state, and the tags
-- that it had when that changed what is counted under which tags (else nil).
local function apply(key, update, cursor, unread, state, still)
    local fields = update.fields
    local have
    if state == ACTIVE then
        have = redis.call("HMGET", key, unpack(fields))
    else
        have = redis.call("HMGET", key, fields[1], SUMS)
    end
    local version, total, news, derived, forgotten = read_sums(have[2])
    local old_revision, old_cursor, old_unread, old_state, changed_at, old_tags = 0, 0, 0, GONE, 0, ""
    if have[1] then
        old_revision, old_cursor, old_unread, old_state, changed_at, old_tags = read_copy(have[1])
        if old_revision > update.revision or (old_revision == update.revision and old_state ~= DERIVED) then
            return total, derived, news, 0, old_state
        end
        local is_ahead = old_cursor > cursor and old_state ~= GONE and state ~= GONE
        if is_ahead and old_revision >= update.created_revision and update.may_have_lost then
            -- The copy stays as it is, with its revision, until the room has taken what it can.
            return total, derived, news, old_cursor, old_state
        end
    end
    if still and still ~= UNLISTED then
        news = still
    elseif news == 1 and not still then
        local later
        news, later = drop_news(key, update.id, update.revision)
        if later and state == GONE then
            -- They are a member again: what is late is that they have left.
            return total, derived, news, 0, old_state
        end
    end
    local ahead = 0
    if old_cursor > cursor and old_state ~= GONE and state ~= GONE and old_revision >= update.created_revision then
        -- A cursor must not go back.
        cursor, ahead = old_cursor, old_cursor
    end
    local known = old_state == ACTIVE and old_tags == update.tags
    if state == ACTIVE and not known and not may_count(key, update.tags) then
        state = DERIVED
    end
    local tags = (state == ACTIVE or state == DERIVED) and update.tags or ""
    local more = unread - old_unread
    if more ~= 0 or old_cursor ~= cursor or old_state ~= state or old_tags ~= tags then
        -- A clock: a side that began anew, or lost its tail, repeats no version that was seen.
        version = math.max(version + 1, update.at_ms)
        changed_at, update.version = version, version
        forgotten = have[2] and forgotten or version - 1
    end
    local copy = pack_copy(update.revision, cursor, unread, state, changed_at, tags)
    if old_state ~= ACTIVE or state ~= ACTIVE or old_tags ~= tags then
        forgotten = math.max(forgotten, recount(key, update, old_state, old_tags, old_unread, state, unread))
        total = math.max(total + (state == ACTIVE and unread or 0) - (old_state == ACTIVE and old_unread or 0), 0)
        derived = math.max(derived + (state == DERIVED and 1 or 0) - (old_state == DERIVED and 1 or 0), 0)
        redis.call("HSET", key, fields[1], copy, SUMS, pack_sums(version, total, news, derived, forgotten))
        if state == GONE then
            expire_if_roomless(key)
        end
        if (state == GONE) ~= (old_state == GONE) then -- on the user's channel
            redis.call("SPUBLISH", key, pack_array("membership", update.id, state ~= GONE))
        end
        return total, derived, news, ahead, state, old_tags
    end
    total = math.max(total + more, 0) -- below 0 it was damaged, which the audit mends
    local sums = pack_sums(version, total, news, derived, forgotten)
    if more == 0 then
        redis.call("HSET", key, fields[1], copy, SUMS, sums)
        return total, derived, news, ahead, state
    end
    local write = update.write
    write[2], write[4] = copy, sums
    for i = 3, #fields do
        local counted = (have[i] or 0) + more
        write[2 * i] = counted > 0 and counted or 0
    end
    redis.call("HSET", key, unpack(write))
    return total, derived, news, ahead, state
end

-- Put a room on the list of rooms with news. The copy and the counters stay as they are.
local function list_news(key, update, sums)
    update.stamp = update.stamp or string.format("%.0f", update.revision)
    redis.call("ZADD", key .. NEWS, "GT", update.stamp, update.id)
    local version, total, news, derived, forgotten = read_sums(sums)
    if news == 0 then
        redis.call("HSET", key, SUMS, pack_sums(version, total, 1, derived, forgotten))
    end
end

-- The same where updates may be late. A member who has not been told of it yet is made to ask.
local function note_news(key, update, cursor)
    local have = redis.call("HMGET", key, update.fields[1], SUMS)
    local revision, _, _, state = 0, 0, 0, GONE
    if have[1] then
        revision, _, _, state = read_copy(have[1])
    end
    if revision >= update.revision then
        return
    elseif state == GONE then
        apply(key, update, cursor, 0, DERIVED)
        return
    end
    list_news(key, update, have[2])
end
