#!lua
-- invite: remember whom a room has invited. Members are passed over.
--
-- Key        room
-- Args       most int, made, ...users
--            most: invitations kept in a room
--            made: "1": only a room that a client made, "0": only another, "": any
--
-- Reply      [user]   those who were not invited before
-- Errors     ROOM_UNKNOWN, LIMIT_REACHED    nothing was written
-- Cost       commands <= 3 + 2 * users + users / 1000, turns <= 1 + 2 * users + users / 1000
--@include lib/room
--@include lib/members
--@include lib/invitations

local TOO_MANY_INVITED = "LIMIT_REACHED the room has too many open invitations; take some back, by removing the invited"

local room = existing_room(key, made)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local open, invited, seen = room.key .. INVITED, {}, {}
for _, user in ipairs(users) do
    if not seen[user] and not load_record(room, user) and redis.call("SISMEMBER", open, user) == 0 then
        seen[user] = true
        invited[#invited + 1] = user
    end
end
if #invited > 0 then
    if redis.call("SCARD", open) + #invited > most then
        return redis.error_reply(TOO_MANY_INVITED)
    end
    call_in_batches("SADD", open, invited)
end
return invited
