-- invitations: who is invited to a room. The invited are no members; they become members by
-- joining, also in a closed room.
--@include lib/keys
--@include lib/batches

-- The invitations of these users end.
local function end_invitations(room, users)
    local invited = room.key .. INVITED
    if redis.call("EXISTS", invited) == 1 then
        call_in_batches("SREM", invited, users)
    end
end
