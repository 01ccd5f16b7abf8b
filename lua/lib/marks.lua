-- marks: from which message on a member has marked the room as unread. Their record says whether.
--@include lib/keys
--@include lib/messages

local function set_mark(room, member, seq)
    redis.call("HSET", room.key .. SET_BY_HAND, member, seq)
end

-- seq of the message, nil without a mark.
local function mark_of(room, member)
    return tonumber(redis.call("HGET", room.key .. SET_BY_HAND, member))
end

local function clear_mark(room, member)
    redis.call("HDEL", room.key .. SET_BY_HAND, member)
end

-- Time in ms of that message, 0 without a mark; `marked` is of the member's record.
local function marked_since(room, member, marked)
    if marked == 0 then
        return 0
    end
    local _, _, at_ms = message_at(room, mark_of(room, member))
    return at_ms or 0
end
