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

local NEWS_AT_ONCE = 512 -- rooms
local NEWS_CELLS_AT_ONCE = 4096 -- two for each room and one for each of its tags
local DERIVED_AT_ONCE = 256 -- rooms

-- Visit one room and bring the copy up to date, if that is needed. Adds unread and tag set to
-- `found` when the room stays derived. Returns how many cells that took.
local function visit_room(key, user, id, found, attention, limit, was_derived)
    local room, cursor, unread, state = visit(room_key(id), user, attention, limit)
    if state == DERIVED then
        if room.active then
            found[#found + 1] = { unread, room.tags }
        end
        unread = 0
    end
    if not (was_derived and state == DERIVED) then
        apply(key, make_update(id, room.revision, room.created_revision, room.tags), cursor, unread, state, true)
    end
    return 2 + count_tags(room.tags)
end

-- Visit the rooms with news, the oldest first, as many as one script may. Returns those that stay.
local function visit_news(key, user, found, attention, limit)
    local rooms, cells, visited = redis.call("ZRANGE", key .. NEWS, 0, NEWS_AT_ONCE), 0, 0
    while visited < #rooms and visited < NEWS_AT_ONCE and cells < NEWS_CELLS_AT_ONCE do
        visited = visited + 1
        cells = cells + visit_room(key, user, rooms[visited], found, attention, limit, false)
    end
    redis.call("ZREMRANGEBYRANK", key .. NEWS, 0, visited - 1)
    if visited == #rooms then
        local version, total, _, derived = load_sums(key)
        redis.call("HSET", key, SUMS, pack_sums(version, total, 0, derived))
    end
    return { unpack(rooms, visited + 1) }
end

-- Visit the rooms with news and the derived rooms of a user, as many as one script may. Returns
-- unread and tag set of active rooms that stay derived, { {unread, tags}, ... }; and the rooms with
-- news, and the derived rooms, that the caller must visit.
local function visit_rooms(key, user, attention, limit)
    local found, elsewhere = {}, {}
    for i, id in ipairs(redis.call("SMEMBERS", key .. DERIVED_ROOMS)) do
        if i > DERIVED_AT_ONCE then
            elsewhere[#elsewhere + 1] = id
        else
            visit_room(key, user, id, found, attention, limit, true)
        end
    end
    return found, visit_news(key, user, found, attention, limit), elsewhere
end

-- The badge of the last member to whom an update was pushed; false when there was none, when
-- derived rooms must be asked for the rest, or when there is too much news for one script.
local function pushed_badge(user, attention, limit)
    if pushed_derived == 0 and pushed_news == 1 then
        local key = user_key(user)
        local left = visit_news(key, user, {}, attention, limit)
        local _
        _, pushed_total, pushed_news, pushed_derived = load_sums(key)
        return #left == 0 and pushed_derived == 0 and pushed_total
    end
    return pushed_derived == 0 and pushed_total
end
