-- sweeping: the members of a large room that was deleted hear of it later, some at a time.
--@include lib/room

local HEAD_KEPT_S = 24 * 3600 -- of a deleted room, so that late news of it is recognised as old

-- Keep the members for sweep_room, as long as the head is kept; without it they find out when the room is next asked for.
local function put_aside(room)
    redis.call("HDEL", room.key, HEAD)
    if redis.call("EXISTS", room.key) == 1 then
        redis.call("RENAME", room.key, room.key .. ":g")
        redis.call("EXPIRE", room.key .. ":g", HEAD_KEPT_S)
    end
end

-- The head of a room, or what stands for it when it has expired: the room is gone, as of now.
local function load_head_or_gone(key)
    local room = load_head(key)
    if not room then
        room = { key = key, rev = 0, born = 0, tags = "", deleted = true }
        raise_revision(room)
    end
    return room
end
