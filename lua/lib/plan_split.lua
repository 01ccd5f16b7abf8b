-- plan_split: on a cluster the room's script notes for whom updates are pending and hands the
-- updates to the caller, who applies each at its user and then acknowledges them (ack). An
-- update that a crash leaves pending is pushed from the room's present state.
--@include lib/keys
--@include lib/batches
--@include lib/arrays
--@include lib/states

local PENDING_AT_ONCE = 500

local updates, pending, events = {}, {}, {}

local function push_update(room, member, cursor, unread, state)
    append(updates, member, cursor, unread, state)
    pending[#pending + 1] = member
    pending[#pending + 1] = room.revision
end

-- Some of the members whose updates an earlier call may have left pending.
local function pending_members(room)
    return redis.call("HRANDFIELD", room.key .. PENDING, PENDING_AT_ONCE)
end

-- Keep an event until the caller has handed it over to the deliverers of webhooks.
local function emit(room, _, event)
    local revision = string.format("%.0f", room.revision)
    redis.call("HSET", room.key .. PENDING_EVENTS, revision, event)
    events = { revision, event }
end

-- `pending_events`: those that the caller is to hand over, { revision, event, ... }; without, the
-- one of this call.
local function finish(room, reply, pending_events)
    call_in_batches("HSET", room.key .. PENDING, pending)
    return { reply, room.revision, room.created_revision, update_tags(room), updates, pending_events or events }
end

-- The rooms are elsewhere: their names are handed to the caller.
local function visit_rooms(key)
    return {}, redis.call("ZRANGE", key .. NEWS, 0, -1), redis.call("SMEMBERS", key .. DERIVED_ROOMS)
end

-- The user is elsewhere: the caller asks for the badge.
local function pushed_badge()
    return false
end
