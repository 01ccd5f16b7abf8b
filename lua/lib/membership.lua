-- membership: who is in a room.
--@include lib/room
--@include lib/news
--@include lib/crossing
--@include lib/notices
--@include lib/stays
--@include lib/invitations

-- Begin a stay at the head, with nothing unread, for each in ARGV from `first` to `last`. Returns
-- those who were not members before.
local function begin_stays(room, first, last, keep)
    local joined = {}
    local returning = redis.call("EXISTS", room.key .. ":x") == 1
    for i = first, last do
        if begin_stay(room, ARGV[i], returning, keep) then
            joined[#joined + 1] = ARGV[i]
        end
    end
    strike_out_invitations(room, first, last)
    room.size = room.size + #joined
    return joined
end

-- Add the members in ARGV from `first` to `last`. Returns those who were not members before.
local function add_members(room, first, last, limit, keep)
    local before = room.rev
    raise_revision(room)
    local joined = begin_stays(room, first, last, keep)
    if #joined == 0 then
        room.rev = before
        tell_owed(room)
        return joined
    end
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
        publish("joined", id, joined)
        publish("room", id)
    end
end
