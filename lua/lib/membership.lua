-- membership: who is in a room.
--@include lib/room
--@include lib/updates
--@include lib/crossing
--@include lib/notices
--@include lib/stays
--@include lib/invitations

local RECENT_KEPT_S = 5

-- Keep what is published from here on, for a while: who has just joined may be heard late. The head
-- must be saved afterwards.
local function record_notices(room)
    room.recorded = true
    redis.call("RPUSH", room.key .. RECENT, "")
    redis.call("EXPIRE", room.key .. RECENT, RECENT_KEPT_S)
end

-- Begin a stay at the head, with nothing unread, for each of `members`. Returns those who were not
-- members before.
local function begin_stays(room, members, settings)
    local joined = {}
    local returning = redis.call("EXISTS", room.key .. LEAVERS) == 1
    for _, member in ipairs(members) do
        if begin_stay(room, member, returning, settings) then
            joined[#joined + 1] = member
        end
    end
    end_invitations(room, members)
    if #joined > 0 then
        record_notices(room)
    end
    room.member_count = room.member_count + #joined
    return joined
end

-- Add members. Returns those who were not members before.
local function add_members(room, members, settings)
    local before = room.revision
    raise_revision(room)
    local joined = begin_stays(room, members, settings)
    if #joined == 0 then
        room.revision = before
        push_pending(room)
        return joined
    end
    index_if_due(room, settings)
    save_head(room)
    push_present_state(room, joined)
    return joined
end

local function announce_joined(room, joined)
    if #joined > 0 then
        publish(room, "joined", joined)
        publish(room, "room")
    end
end
