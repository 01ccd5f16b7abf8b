-- plan_atomic: on a single server an operation is one script over the room and its members.
--@include lib/keys
--@include lib/user
--@include lib/room

-- Where news of `room` goes. `told` counts; `total` and `derived` are those of the member told last.
local function begin(app, room)
    local plan = { total = -1, derived = 0 }
    local news
    function plan.tell(member, cursor, unread, state)
        news = news or news_of(room_of(app, room.key), room.rev, room.born, room.tags)
        plan.total, plan.derived = apply(user_key(app, member), news, cursor, unread, state)
    end
    function plan.tell_owed() end
    function plan.finish(reply)
        return reply
    end
    return plan
end

-- Unread and tag set of every derived room that the user is a member of: { {unread, tags}, ... }, {}.
local function ask_derived(app, user, key)
    local found = {}
    for _, id in ipairs(redis.call("SMEMBERS", key .. ":d")) do
        local room = load_room(room_key(app, id))
        if room and room.active then
            local cursor, ord = load_member(room, user)
            if cursor then
                found[#found + 1] = { unread_after(room, ord), room.tags }
            end
        end
    end
    return found, {}
end

-- The user's total, derived rooms included; plan.total and plan.derived are used when somebody was told last.
local function total_of(app, user, plan)
    local key = user_key(app, user)
    local total, derived = plan.total, plan.derived
    if total < 0 then
        local have = redis.call("HMGET", key, "*", "d")
        total, derived = tonumber(have[1] or 0), tonumber(have[2] or 0)
    end
    if derived > 0 then
        for _, room in ipairs(ask_derived(app, user, key)) do
            total = total + room[1]
        end
    end
    return total
end
