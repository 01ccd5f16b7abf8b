-- plan_split: on a cluster the room's script notes whom it owes news and hands the news to the caller, who applies it at
-- every user and then settles. Whatever a crash leaves owed is told from the room's present state.

local OWED_AT_ONCE = 500

local news, owed, events = {}, {}, {}

local function tell(room, member, cursor, unread, state)
    for _, item in ipairs({ member, cursor, unread, state }) do
        news[#news + 1] = item
    end
    owed[#owed + 1] = member
    owed[#owed + 1] = room.rev
end

-- Some of those whom an earlier call may have left owing.
local function owed_members(room)
    return redis.call("HRANDFIELD", room.key .. ":o", OWED_AT_ONCE)
end

-- Keep an event until the caller has handed it over to whoever delivers webhooks.
local function emit(room, shard, event)
    local revision = string.format("%.0f", room.rev)
    redis.call("HSET", room.key .. ":w", revision, event)
    events = { revision, event }
end

local function finish(room, reply)
    for i = 1, #owed, 1000 do
        redis.call("HSET", room.key .. ":o", unpack(owed, i, math.min(i + 999, #owed)))
    end
    return { reply, room.rev, room.born, room.tags, news, events }
end

-- Rooms are asked by the caller, each in its slot.
local function ask_room() end

-- The rooms are elsewhere: their names are handed to the caller.
local function ask_derived(user)
    return {}, redis.call("SMEMBERS", KEYS[1] .. ":d")
end

-- The user is elsewhere: the caller asks for the total.
local function total_told()
    return -1
end
