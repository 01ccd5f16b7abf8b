-- plan_atomic: on a single server an operation is one script over the room and its members.
--@include lib/keys
--@include lib/user
--@include lib/room

-- The news of the room, made for the first member who is told; the total and number of derived rooms of the one told last.
local told_news, told_total, told_derived

local function tell(room, member, cursor, unread, state)
    told_news = told_news or news_of(room_of(room.key), room.rev, room.born, room.tags)
    told_total, told_derived = apply(user_key(member), told_news, cursor, unread, state)
end

-- Whom an earlier call may have left owing: nobody, on one server.
local function owed_members()
    return {}
end

-- Hand an event over to whoever delivers webhooks.
local function emit(_, shard, event)
    redis.call("XADD", events_key(shard), "*", APP, event)
end

local function finish(_, reply)
    return reply
end

-- Unread and tag set of every active derived room that the user is a member of: { {unread, tags}, ... }, {}.
local function ask_derived(user)
    local found = {}
    for _, id in ipairs(redis.call("SMEMBERS", user_key(user) .. ":d")) do
        local room = load_head(room_key(id))
        if room and room.active and not room.deleted then
            local cursor, ord = load_member(room, user)
            if cursor then
                found[#found + 1] = { unread_after(room, ord), room.tags }
            end
        end
    end
    return found, {}
end

-- The total of the one who was told last; -1 when nobody was, or when derived rooms must be asked for the rest.
local function total_told()
    return told_derived == 0 and told_total or -1
end
