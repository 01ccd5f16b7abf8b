-- states: how a copy on the user's side relates to the counters.

local FROZEN = 0 -- a member; the room is frozen, so it is neither counted nor listed
local ACTIVE = 1 -- a member; unread is in the counters
local DERIVED = 2 -- a member of a large room; unread is asked of the room
local GONE = 3 -- no longer a member; the stamp stays so that late updates are recognised as old

-- The state that a member's copy of this room has now.
local function copy_state(room)
    if room.derived then
        return DERIVED
    end
    return room.active and ACTIVE or FROZEN
end
