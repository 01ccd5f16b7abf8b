#!lua flags=no-writes
-- snapshot: what a room says of some users now, for an audit and for derived counts.
--
-- Key        room
-- Args       ...users
--            users: members or not
--
-- Reply      { revision int, tags tagset, active flag,
--              states [member, cursor int, unread int, state int, pending flag, ordered flag,
--              attentive flag] }
--            unread: as the room counts it, whatever the state; pending: an update is under way;
--            ordered: the order by cursors and the set of attentive members, as far as they are
--            kept, agree; attentive: they are told of what happens
-- Cost       commands <= 1 + 5 * members, turns <= members
--@include lib/room
--@include lib/members
--@include lib/states

local room = load_head(key)
local states = {}
for _, user in ipairs(users) do
    local cursor, ordinal, told_until
    if room and not room.deleted then
        cursor, ordinal, told_until = load_counts(room, user)
    end
    local place = redis.call("ZSCORE", key .. BY_CURSOR, user)
    states[#states + 1] = user
    states[#states + 1] = cursor or 0
    states[#states + 1] = cursor and unread_after(room, ordinal) or 0
    local attentive = cursor and room.ordinal < told_until
    states[#states + 1] = cursor and copy_state(room, room.ordinal + 1) or GONE
    states[#states + 1] = redis.call("HEXISTS", key .. PENDING, user)
    local in_place = tonumber(place or -1) == (cursor or -1)
        and not (attentive and redis.call("SISMEMBER", key .. ATTENTIVE, user) == 0)
    states[#states + 1] = (cursor and not room.large or in_place) and 1 or 0
    states[#states + 1] = attentive and 1 or 0
end
if not room then
    return { 0, "", 0, states }
end
return { room.revision, room.tags, room.active and 1 or 0, states }
