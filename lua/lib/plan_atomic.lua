-- plan_atomic: on a single server an operation is one script over the room and its members.
--@include lib/reach
--@include lib/user
--@include lib/members
--@include lib/visits

-- The room's update, made for the first member to whom it is pushed; for the last one their total,
-- number of derived rooms, and whether there are rooms with news.
local pushed_update, pushed_total, pushed_derived, pushed_news

-- `in_walk`: the member was told before, and so the room is not on their list of rooms with news.
local function push_update(room, member, cursor, unread, state, in_walk)
    pushed_update = pushed_update
        or make_update(room_id(room.key), room.revision, room.created_revision, update_tags(room))
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

-- The badge of the last member to whom an update was pushed; false when there was none, when
-- derived rooms must be asked for the rest, or when there is too much news for one script.
local function pushed_badge(user, settings)
    if pushed_derived == 0 and pushed_news == 1 then
        local _, left, _, total = visit_rooms(user_key(user), user, settings, 1, 0)
        return #left == 0 and total or false
    end
    return pushed_derived == 0 and pushed_total
end
