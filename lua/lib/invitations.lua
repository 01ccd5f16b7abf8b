-- invitations: who is awaited in a room (:n). The invited are no members; they become members by
-- joining, also in a closed room.
--@include lib/room

-- The users in ARGV from `first` to `last` are awaited no more.
local function strike_out_invitations(room, first, last)
    local awaited = room.key .. ":n"
    if redis.call("EXISTS", awaited) == 1 then
        for i = first, last, 1000 do
            redis.call("SREM", awaited, unpack(ARGV, i, math.min(i + 999, last)))
        end
    end
end
