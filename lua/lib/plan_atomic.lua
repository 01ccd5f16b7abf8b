-- plan_atomic: on a single server an operation is one script over the room and its members.
--@include lib/reach
--@include lib/user
--@include lib/members

-- The room's update, made for the first member to whom it is pushed; total and number of derived
-- rooms of the last one.
local pushed_update, pushed_total, pushed_derived

local function push_update(room, member, cursor, unread, state)
    pushed_update = pushed_update
        or make_update(room_id(room.key), room.revision, room.created_revision, room.tags)
    pushed_total, pushed_derived = apply(user_key(member), pushed_update, cursor, unread, state)
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

-- Add unread and tag set of one derived room to `found`, if it is active and the user a member.
local function ask_room(found, user, id)
    local room = load_head(room_key(id))
    if room and room.active and not room.deleted then
        local cursor, ordinal = load_counts(room, user)
        if cursor then
            found[#found + 1] = { unread_after(room, ordinal), room.tags }
        end
    end
end

local DERIVED_AT_ONCE = 256

-- Unread and tag set of active derived rooms that the user is a member of, { {unread, tags}, ... };
-- and the rooms that the caller must ask, since one script asks no more than DERIVED_AT_ONCE.
local function ask_derived(key, user)
    local found, elsewhere = {}, {}
    for i, id in ipairs(redis.call("SMEMBERS", key .. DERIVED_ROOMS)) do
        if i > DERIVED_AT_ONCE then
            elsewhere[#elsewhere + 1] = id
        else
            ask_room(found, user, id)
        end
    end
    return found, elsewhere
end

-- The badge of the last member to whom an update was pushed; false when there was none, or when
-- derived rooms must be asked for the rest.
local function pushed_badge()
    return pushed_derived == 0 and pushed_total
end
