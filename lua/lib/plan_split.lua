-- plan_split: on a cluster the room's script notes whom it owes news and hands the news to the caller, who applies it at
-- every user and then settles. Whatever a crash leaves owed is told from the room's present state.
--@include lib/keys
--@include lib/room
--@include lib/news

local OWED_AT_ONCE = 500

local function begin(app, room)
    local plan = { total = -1, derived = 0 }
    local news, owed = {}, {}
    function plan.tell(member, cursor, unread, state)
        news[#news + 1] = member
        news[#news + 1] = cursor
        news[#news + 1] = unread
        news[#news + 1] = state
        owed[#owed + 1] = member
        owed[#owed + 1] = room.rev
    end
    -- A repeated call changes nothing but pays what an earlier one may have left owing.
    function plan.tell_owed()
        local members = redis.call("HRANDFIELD", room.key .. ":o", OWED_AT_ONCE)
        tell_anew(plan, room, members)
    end
    function plan.finish(reply)
        for i = 1, #owed, 1000 do
            redis.call("HSET", room.key .. ":o", unpack(owed, i, math.min(i + 999, #owed)))
        end
        return { reply, room.rev, room.born, room.tags, news }
    end
    return plan
end

-- The rooms are elsewhere: their names are handed to the caller.
local function ask_derived(app, user, key)
    return {}, redis.call("SMEMBERS", key .. ":d")
end

-- The user is elsewhere: the caller adds up.
local function total_of()
    return -1
end
