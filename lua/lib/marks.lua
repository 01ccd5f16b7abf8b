-- marks: from which message on a member has marked the room as unread. Their record says whether.
--@include lib/keys

local function set_mark(room, member, seq)
    redis.call("HSET", room.key .. UNREAD_OVERRIDES, member, seq)
end

-- seq of the message, nil without a mark.
local function mark_of(room, member)
    return tonumber(redis.call("HGET", room.key .. UNREAD_OVERRIDES, member))
end

local function clear_mark(room, member)
    redis.call("HDEL", room.key .. UNREAD_OVERRIDES, member)
end
