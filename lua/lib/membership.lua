-- membership: who is in a room.
--@include lib/room
--@include lib/updates
--@include lib/crossing
--@include lib/notices
--@include lib/stays
--@include lib/invitations

-- Begin a stay at the head, with nothing unread, for each of `members`. Returns those who were not
-- members before.
local function begin_stays(room, members, journal)
    local joined = {}
    local returning = redis.call("EXISTS", room.key .. LEAVERS) == 1
    for _, member in ipairs(members) do
        if begin_stay(room, member, returning, journal) then
            joined[#joined + 1] = member
        end
    end
    end_invitations(room, members)
    room.member_count = room.member_count + #joined
    return joined
end

-- Add members. Returns those who were not members before.
local function add_members(room, members, limit, journal)
    local before = room.revision
    raise_revision(room)
    local joined = begin_stays(room, members, journal)
    if #joined == 0 then
        room.revision = before
        push_pending(room)
        return joined
    end
    local crossed = cross_if_due(room, limit)
    save_head(room)
    if crossed then
        push_to_members(room)
    else
        for _, member in ipairs(joined) do
            push_to_member(room, member, room.seq, room.ordinal)
        end
    end
    return joined
end

local function announce_joined(room, joined)
    if #joined > 0 then
        local id = room_id(room.key)
        publish("joined", id, joined)
        publish("room", id)
    end
end
