#!lua flags=no-writes
-- snapshot: what a room says of some of its members now, for an audit and for derived counts.
--
-- KEYS[1]    room
-- ARGV[1..]  members   whoever they are
--
-- Reply      { revision, tags, active, { member, cursor, unread, state, owed, ordered, ... } }
--            unread: as the room counts it, whatever the state; owed: 1 when news is under way;
--            ordered: 1 when the order by cursors, as far as it is kept, agrees
-- Cost       commands <= 1 + 4 * members, turns <= members
--@include lib/room
--@include lib/states

local room = load_head(KEYS[1])
local states = {}
for _, member in ipairs(ARGV) do
    local cursor, ord
    if room and not room.deleted then
        cursor, ord = load_member(room, member)
    end
    local place = redis.call("ZSCORE", KEYS[1] .. ":c", member)
    states[#states + 1] = member
    states[#states + 1] = cursor or 0
    states[#states + 1] = cursor and unread_after(room, ord) or 0
    states[#states + 1] = cursor and copy_state(room) or GONE
    states[#states + 1] = redis.call("HEXISTS", KEYS[1] .. ":o", member)
    states[#states + 1] = (cursor and not room.derived or tonumber(place or -1) == (cursor or -1)) and 1 or 0
end
if not room then
    return { 0, "", 0, states }
end
return { room.rev, room.tags, room.active and 1 or 0, states }
