#!lua flags=no-writes
-- member_states: what a room says of some users now, for an audit and for derived counts.
--
-- Key        room
-- Args       ...users
--            users: members or not
--
-- Reply      { revision int, tags tagset, active flag,
--              states [member, cursor int, unread int, state int, pending flag, attentive flag] }
--            unread: as the room counts it, whatever the state; pending: an update is under way;
--            attentive: they are told of what happens
-- Cost       commands <= 1 + 3 * members, turns <= members
--@include lib/room
--@include lib/members
--@include lib/states

local room = load_head(key)
local states = {}
for _, user in ipairs(users) do
    local cursor, ordinal, attentive_until
    if room and not room.deleted then
        cursor, ordinal, attentive_until = load_counts(room, user)
    end
    states[#states + 1] = user
    states[#states + 1] = cursor or 0
    states[#states + 1] = cursor and unread_after(room, ordinal) or 0
    local attentive = cursor and room.ordinal < attentive_until
    states[#states + 1] = cursor and copy_state(room, room.ordinal + 1) or GONE
    states[#states + 1] = redis.call("HEXISTS", key .. PENDING, user)
    states[#states + 1] = attentive and 1 or 0
end
if not room then
    return { 0, "", 0, states }
end
return { room.revision, room.tags, room.active and 1 or 0, states }
