-- membership: who is in a room.
--@include lib/room
--@include lib/news
--@include lib/crossing
--@include lib/notices

-- Add the members in ARGV from `first` on, each at the head with nothing unread. Returns those who were not members before.
local function add_members(plan, room, first, limit)
    local joined = {}
    for i = first, #ARGV do
        if redis.call("HSETNX", room.key .. ":p", ARGV[i], pack_member(room.seq, room.ord, 0)) == 1 then
            redis.call("ZADD", room.key .. ":c", room.seq, ARGV[i])
            joined[#joined + 1] = ARGV[i]
        end
    end
    if #joined == 0 then
        return joined
    end
    raise_revision(room)
    room.size = room.size + #joined
    redis.call("HSET", room.key, "rev", room.rev, "size", room.size)
    if cross_if_due(room, limit) then
        tell_members(plan, room)
    else
        for _, member in ipairs(joined) do
            tell_member(plan, room, member, room.seq, room.ord)
        end
    end
    return joined
end

local function announce_joined(app, room, joined)
    if #joined > 0 then
        local id = room_of(app, room.key)
        publish(app, { "joined", id, joined })
        publish(app, { "room", id })
    end
end
