-- plan_atomic: on a single server an operation is one script over the room and its members.
--@include lib/reach
--@include lib/user
--@include lib/members
--@include lib/visiting

-- The room's update, made for the first member to whom it is pushed; for the last one their total,
-- number of derived rooms, and whether there are rooms with news.
local pushed_update, pushed_total, pushed_derived, pushed_news

-- `in_walk`: the member was told before, and so the room is not on their list of rooms with news.
local function push_update(room, member, cursor, unread, state, in_walk)
    pushed_update = pushed_update
        or make_update(room_id(room.key), room.revision, room.created_revision, room.tags)
    local key = user_key(member)
    if state ~= NEWS_ONLY then
        pushed_total, pushed_derived, pushed_news =
            apply(key, pushed_update, cursor, unread, state, in_walk and UNLISTED)
    elseif in_walk then
        list_news(key, pushed_update, redis.call("HGET", key, SUMS))
    else
        note_news(key, pushed_update, cursor)
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

-- Visit one room, and bring the copy up to date unless it was and stays derived. `still` as in
-- apply. Returns the room, unread and state, how much work it was, and what apply returns first.
local function visit_room(key, user, id, settings, was_derived, still)
    local room, cursor, unread, state = visit(room_key(id), user, settings)
    if was_derived and state == DERIVED then
        return room, unread, state, 8
    end
    local update = make_update(id, room.revision, room.created_revision, room.tags)
    local counted = state == DERIVED and 0 or unread
    local total, derived, news, _, now, old_tags = apply(key, update, cursor, counted, state, still)
    local tags = count_tags(room.tags)
    local work = old_tags and 48 + 2 * (tags + count_tags(old_tags)) or 8 + tags
    return room, unread, now, work, total, derived, news
end

-- Visit the rooms with news, the oldest first, as many as one script may. Returns those that stay,
-- how much work it was, and the user's total and number of derived rooms.
local function visit_news(key, user, settings)
    local rooms, work, visited = redis.call("ZRANGE", key .. NEWS, 0, NEWS_AT_ONCE), 0, 0
    local total, derived, news
    while visited < #rooms and visited < NEWS_AT_ONCE and work < WORK_AT_ONCE do
        visited = visited + 1
        local _, more
        _, _, _, more, total, derived, news =
            visit_room(key, user, rooms[visited], settings, false, visited == #rooms and 0 or 1)
        work = work + more
    end
    if visited < #rooms then
        redis.call("ZREMRANGEBYRANK", key .. NEWS, 0, visited - 1)
    else
        redis.call("UNLINK", key .. NEWS)
        if news ~= 0 then
            local version, _
            version, total, _, derived = load_sums(key)
            redis.call("HSET", key, SUMS, pack_sums(version, total, 0, derived))
        end
    end
    return { unpack(rooms, visited + 1) }, work, total, derived
end

-- Visit the rooms with news and then the derived rooms of a user, as many as one script may.
-- Returns unread and tag set of active rooms that stay derived, { {unread, tags}, ... }; the rooms
-- with news, and the derived rooms, that the caller must visit; and the user's total, if known.
local function visit_rooms(key, user, settings, with_news, derived)
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
        local left, _, total, derived = visit_news(user_key(user), user, settings)
        return #left == 0 and derived == 0 and total
    end
    return pushed_derived == 0 and pushed_total
end
