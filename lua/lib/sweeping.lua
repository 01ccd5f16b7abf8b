-- sweeping: the members of a large room that was deleted are updated later, some at a time.
--@include lib/room

-- For so long the head of a deleted room is kept, so that late updates of it are recognised as old.
local HEAD_KEPT_S = 24 * 3600

-- Keep the members for sweep_room, as long as the head is kept; without it they find out when the
-- room is next asked for.
local function put_aside(room)
    redis.call("HDEL", room.key, HEAD)
    if redis.call("EXISTS", room.key) == 1 then
        redis.call("RENAME", room.key, room.key .. DELETED_MEMBERS)
        redis.call("EXPIRE", room.key .. DELETED_MEMBERS, HEAD_KEPT_S)
    end
end

-- The head of a room, or what stands for it when it has expired: the room is gone, as of now.
local function load_head_or_gone(key)
    local room = load_head(key)
    if not room then
        room = new_head(key)
        raise_revision(room)
    end
    return room
end
