-- membership: who is in a room.
--@include lib/room
--@include lib/news
--@include lib/crossing
--@include lib/notices

-- Add the members in ARGV from `first` on, each at the head with nothing unread. Returns those who were not members before.
local function add_members(room, first, limit)
    local joined = {}
    for i = first, #ARGV do
        if redis.call("HSETNX", room.key .. ":p", ARGV[i], cmsgpack.pack(room.seq, room.ord, 0)) == 1 then
            redis.call("ZADD", room.key .. ":c", room.seq, ARGV[i])
            joined[#joined + 1] = ARGV[i]
        end
    end
    if #joined == 0 then
        tell_owed(room)
        return joined
    end
    raise_revision(room)
    room.size = room.size + #joined
    local crossed = cross_if_due(room, limit)
    save_head(room)
    if crossed then
        tell_members(room)
    else
        for _, member in ipairs(joined) do
            tell_member(room, member, room.seq, room.ord)
        end
    end
    return joined
end

local function announce_joined(room, joined)
    if #joined > 0 then
        local id = room_of(room.key)
        publish({ "joined", id, joined })
        publish({ "room", id })
    end
end
