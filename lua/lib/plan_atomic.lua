-- plan_atomic: on a single server an operation is one script over the room and its members.
--@include lib/reach
--@include lib/user
--@include lib/members
--@include lib/visiting

-- The room's update, made for the first member to whom it is pushed; for the last one their total,
-- number of derived rooms, and whether there are rooms with news.
local pushed_update, pushed_total, pushed_derived, pushed_news

local function push_update(room, member, cursor, unread, state)
    pushed_update = pushed_update
        or make_update(room_id(room.key), room.revision, room.created_revision, room.tags)
    if state == NEWS_ONLY then
        note_news(user_key(member), pushed_update, cursor)
    else
        pushed_total, pushed_derived, pushed_news = apply(user_key(member), pushed_update, cursor, unread, state)
    end
end

-- Members whose updates an earlier call may have left pending: none, on one server.
local function pending_members()
    return {}
end

-- Hand an event over to the deliverers of webhooks.
local function emit(_, shard, event)
    redis.call("XADD", events_key(shard), "*", APP, event)
end

local function finish(_, reply)
    return reply
end

-- So many visits one script makes, and so much work they may be: 20 ms on a usual machine. A visit
-- is 8 and one for each tag; 48 and two for each tag, old and new, when the copy's tags change.
local NEWS_AT_ONCE = 512 -- rooms
local DERIVED_AT_ONCE = 256 -- rooms
local WORK_AT_ONCE = 8192

-- Visit one room, and bring the copy up to date unless it was and stays derived. `visited` as in
-- apply. Returns the room, unread and state, and how much work it was.
local function visit_room(key, user, id, settings, was_derived, visited)
    local room, cursor, unread, state = visit(room_key(id), user, settings)
    if was_derived and state == DERIVED then
        return room, unread, state, 8
    end
    local update = make_update(id, room.revision, room.created_revision, room.tags)
    local counted = state == DERIVED and 0 or unread
    local _, _, _, _, now, old_tags = apply(key, update, cursor, counted, state, visited)
    local tags = count_tags(room.tags)
    return room, unread, now, old_tags and 48 + 2 * (tags + count_tags(old_tags)) or 8 + tags
end

-- Visit the rooms with news, the oldest first, as many as one script may. Returns those that stay,
-- and how much work it was.
local function visit_news(key, user, settings)
    local rooms, work, visited = redis.call("ZRANGE", key .. NEWS, 0, NEWS_AT_ONCE), 0, 0
    if #rooms == 0 then
        return rooms, 0
    end
    while visited < #rooms and visited < NEWS_AT_ONCE and work < WORK_AT_ONCE do
        visited = visited + 1
        local _, _, _, more = visit_room(key, user, rooms[visited], settings, false, true)
        work = work + more
    end
    redis.call("ZREMRANGEBYRANK", key .. NEWS, 0, visited - 1)
    if visited == #rooms then
        local version, total, _, derived = load_sums(key)
        redis.call("HSET", key, SUMS, pack_sums(version, total, 0, derived))
    end
    return { unpack(rooms, visited + 1) }, work
end

-- Visit the rooms with news and then the derived rooms of a user, as many as one script may.
-- Returns unread and tag set of active rooms that stay derived, { {unread, tags}, ... }; and the
-- rooms with news, and the derived rooms, that the caller must visit.
local function visit_rooms(key, user, settings)
    local found, elsewhere = {}, {}
    local news, work = visit_news(key, user, settings)
    for i, id in ipairs(redis.call("SMEMBERS", key .. DERIVED_ROOMS)) do
        if i > DERIVED_AT_ONCE or work >= WORK_AT_ONCE then
            elsewhere[#elsewhere + 1] = id
        else
            local room, unread, state, more = visit_room(key, user, id, settings, true)
            work = work + more
            if state == DERIVED and room.active then
                found[#found + 1] = { unread, room.tags }
            end
        end
    end
    return found, news, elsewhere
end

-- The badge of the last member to whom an update was pushed; false when there was none, when
-- derived rooms must be asked for the rest, or when there is too much news for one script.
local function pushed_badge(user, settings)
    if pushed_derived == 0 and pushed_news == 1 then
        local key = user_key(user)
        local left = visit_news(key, user, settings)
        local _
        _, pushed_total, pushed_news, pushed_derived = load_sums(key)
        return #left == 0 and pushed_derived == 0 and pushed_total
    end
    return pushed_derived == 0 and pushed_total
end
