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

-- What is left owing after a crash: nothing, on one server.
local function owed_members()
    return {}
end

local function finish(_, reply)
    return reply
end

-- Unread and tag set of every active derived room that the user is a member of: { {unread, tags}, ... }, {}.
local function ask_derived(user)
    local found = {}
    for _, id in ipairs(redis.call("SMEMBERS", user_key(user) .. ":d")) do
        local room = load_room(room_key(id))
        if room and room.active then
            local cursor, ord = load_member(room, user)
            if cursor then
                found[#found + 1] = { unread_after(room, ord), room.tags }
            end
        end
    end
    return found, {}
end

-- The user's total, derived rooms included; only for the one who was told last, or when nobody was.
local function total_of(user)
    local total, derived = told_total, told_derived
    if not total then
        local have = redis.call("HMGET", user_key(user), "*", "d")
        total, derived = tonumber(have[1] or 0), tonumber(have[2] or 0)
    end
    if derived > 0 then
        for _, room in ipairs(ask_derived(user)) do
            total = total + room[1]
        end
    end
    return total
end
