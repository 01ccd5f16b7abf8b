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

-- Add the unread and the tag set of one derived room to `found`, if it is active and the user a member.
local function ask_room(found, user, id)
    local room = load_head(room_key(id))
    if room and room.active and not room.deleted then
        local cursor, ord = load_member(room, user)
        if cursor then
            found[#found + 1] = { unread_after(room, ord), room.tags }
        end
    end
end

local DERIVED_AT_ONCE = 256

-- Unread and tag set of active derived rooms that the user is a member of, { {unread, tags}, ... }; and the rooms that the caller must ask,
-- since one script is to ask no more than DERIVED_AT_ONCE.
local function ask_derived(user)
    local found, elsewhere = {}, {}
    for i, id in ipairs(redis.call("SMEMBERS", user_key(user) .. ":d")) do
        if i > DERIVED_AT_ONCE then
            elsewhere[#elsewhere + 1] = id
        else
            ask_room(found, user, id)
        end
    end
    return found, elsewhere
end
-- The total of the one who was told last; -1 when nobody was, or when derived rooms must be asked for the rest.
local function total_told()
    return told_derived == 0 and told_total or -1
end
