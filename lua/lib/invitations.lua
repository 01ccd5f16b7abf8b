-- invitations: who is awaited in a room (:n). The invited are no members; they become members by
-- joining, also in a closed room.
--@include lib/room

-- The users in ARGV from `first` on are awaited no more.
local function strike_out_invitations(room, first)
    local awaited = room.key .. ":n"
    if redis.call("EXISTS", awaited) == 1 then
        for i = first, #ARGV, 1000 do
            redis.call("SREM", awaited, unpack(ARGV, i, math.min(i + 999, #ARGV)))
        end
    end
end
