-- states: how a copy on the user's side relates to the counters.
--@include lib/keys

local FROZEN = 0 -- a member; the room is frozen, so it is neither counted nor listed
local ACTIVE = 1 -- a member; unread is in the counters
local DERIVED = 2 -- a member who is not told; unread is asked of the room, always
local GONE = 3 -- no longer a member; the stamp stays so that late updates are recognised as old
-- An update only, never the state of a copy: the room is put on the list of rooms with news, and
-- its copy stays as it is.
local NEWS_ONLY = 4

-- The tags of an update. A frozen room's end with a separator: so the copy of a derived room, which
-- has its tags and not whether it is frozen, changes with that.
local function update_tags(room)
    return room.active and room.tags or room.tags .. SEPARATOR
end

-- The state of the copy of a member who is told of posts before ordinal `attentive_until`.
local function copy_state(room, attentive_until)
    if room.derived or room.ordinal >= attentive_until then
        return DERIVED
    end
    return room.active and ACTIVE or FROZEN
end
