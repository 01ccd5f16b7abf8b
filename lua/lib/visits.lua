-- visits: on a single server, the script that asks for a user visits the rooms itself. Of several
-- rooms with news most have new numbers and nothing else: the user's side is given those together.
--@include lib/reach
--@include lib/user
--@include lib/visiting

-- So many visits one script makes, and so much work they may be: 20 ms on a usual machine. A visit
-- is 8 and one for each tag; 48 and two for each tag, old and new, when the copy's tags change.
local NEWS_AT_ONCE = 512 -- rooms
local DERIVED_AT_ONCE = 256 -- rooms
local WORK_AT_ONCE = 8192
local COUNTED_AT_ONCE = 1000 -- counters that are written together, beside those of one more room

-- The numbers of these rooms of a user that are to be written together: none yet. A single one is
-- applied with less.
local function begin_numbers(key, rooms)
    local numbers = { copies = {}, fields = {}, moved = {}, more = {}, counted = 0 }
    if #rooms > 1 then
        for i, id in ipairs(rooms) do
            numbers.fields[i] = COPY_OF .. id
        end
        numbers.copies = redis.call("HMGET", key, unpack(numbers.fields))
    end
    return numbers
end

-- Note the numbers of the room that is `number` in the list, if nothing else of its copy changes.
local function note_numbers(numbers, number, room, cursor, unread, state)
    local copy = numbers.copies[number]
    if not copy or state ~= ACTIVE or numbers.counted > COUNTED_AT_ONCE then
        return false
    end
    local revision, old_cursor, old_unread, old_state, changed_at, tags = read_copy(copy)
    if old_state ~= ACTIVE or tags ~= room.tags or revision >= room.revision or old_cursor > cursor then
        return false
    end
    if not numbers.more[tags] then
        numbers.more[tags], numbers.counted = 0, numbers.counted + 1 + count_tags(tags)
    end
    numbers.more[tags] = numbers.more[tags] + unread - old_unread
    numbers.moved[#numbers.moved + 1] = {
        field = numbers.fields[number], revision = room.revision, cursor = cursor, unread = unread, tags = tags,
        changed_at = old_cursor == cursor and old_unread == unread and changed_at, -- false: now
        at_ms = math.floor(room.revision / 1000),
    }
    return true
end

-- Write what was noted; `news`: whether there are rooms with news then, 1 or 0. Returns the user's
-- total and number of derived rooms.
local function save_numbers(key, numbers, news)
    local fields, more, all = { SUMS }, {}, 0
    for tags, by in pairs(numbers.more) do
        all = all + by
        for i, field in ipairs((templates[tags] or template_of(tags))[1]) do
            if i > 2 then
                fields[#fields + 1] = not more[field] and field or nil
                more[field] = (more[field] or 0) + by
            end
        end
    end
    local have, write = redis.call("HMGET", key, unpack(fields)), {}
    local version, total, _, derived, forgotten = read_sums(have[1])
    for _, move in ipairs(numbers.moved) do
        version = move.changed_at and version or math.max(version + 1, move.at_ms)
        write[#write + 1] = move.field
        write[#write + 1] =
            pack_copy(move.revision, move.cursor, move.unread, ACTIVE, move.changed_at or version, move.tags)
    end
    for i = 2, #fields do
        write[#write + 1] = fields[i]
        write[#write + 1] = math.max((have[i] or 0) + more[fields[i]], 0)
    end
    total = math.max(total + all, 0)
    redis.call("HSET", key, SUMS, pack_sums(version, total, news, derived, forgotten), unpack(write))
    return total, derived
end

-- Bring the copy of a room that was visited up to date. `still` as in apply. Returns the state, how
-- much work it was, and what apply returns first.
local function apply_visit(key, id, room, cursor, unread, state, still)
    local update = make_update(id, room.revision, room.created_revision, update_tags(room))
    local total, derived, news, _, now, old_tags = apply(key, update, cursor, unread, state, still)
    local tags = count_tags(room.tags)
    return now, old_tags and 48 + 2 * (tags + count_tags(old_tags)) or 8 + tags, total, derived, news
end

-- Visit the rooms with news, the oldest first, as many as one script may. Returns those that stay,
-- how much work it was, and the user's total and number of derived rooms.
local function visit_news(key, user, settings)
    local rooms, work, visited = redis.call("ZRANGE", key .. NEWS, 0, NEWS_AT_ONCE), 0, 0
    local numbers, total, derived, news = begin_numbers(key, rooms), nil, nil, nil
    while visited < #rooms and visited < NEWS_AT_ONCE and work < WORK_AT_ONCE do
        visited = visited + 1
        local id, more, _ = rooms[visited], nil, nil
        local room, cursor, unread, state = visit(room_key(id), user, settings)
        if note_numbers(numbers, visited, room, cursor, unread, state) then
            more = 8 + count_tags(room.tags)
        else
            local still = visited == #rooms and 0 or 1
            _, more, total, derived, news = apply_visit(key, id, room, cursor, unread, state, still)
        end
        work = work + more
    end
    local left = visited < #rooms and 1 or 0
    if left == 1 then
        redis.call("ZREMRANGEBYRANK", key .. NEWS, 0, visited - 1)
    else
        redis.call("UNLINK", key .. NEWS)
    end
    if #numbers.moved > 0 or news ~= left then
        total, derived = save_numbers(key, numbers, left)
    end
    return { unpack(rooms, visited + 1) }, work, total, derived
end

-- Visit the rooms with news and then the derived rooms of a user, as many as one script may.
-- `follow`: copies that stay derived are brought up to date, too. Returns unread and tag set of
-- active rooms that stay derived, { {unread, tags}, ... }; the rooms with news, and the derived
-- rooms, that the caller must visit; and the user's total, if known.
local function visit_rooms(key, user, settings, with_news, derived, follow)
    local found, news, elsewhere, work, total = {}, {}, {}, 0, nil
    if with_news == 1 then
        news, work, total, derived = visit_news(key, user, settings)
    end
    if derived == 0 then
        return found, news, elsewhere, total
    end
    for i, id in ipairs(redis.call("SMEMBERS", key .. DERIVED_ROOMS)) do
        if i > DERIVED_AT_ONCE or work >= WORK_AT_ONCE then
            elsewhere[#elsewhere + 1] = id
        else
            local room, cursor, unread, state = visit(room_key(id), user, settings)
            local more = 8
            if follow or state ~= DERIVED then
                state, more = apply_visit(key, id, room, cursor, unread, state)
            end
            work = work + more
            if state == DERIVED and room.active then
                found[#found + 1] = { unread, room.tags }
            end
        end
    end
    return found, news, elsewhere
end
