#!lua
-- invite: remember whom a room awaits. Members are passed over.
--
-- KEYS[1]    room
-- ARGV[1]    most    invitations kept in a room
-- ARGV[2]    made    "1": only a room that a client made, "0": only another, "": any
-- ARGV[3..]  users
--
-- Reply      those who were not invited before
-- Errors     ROOM_UNKNOWN, LIMIT_REACHED    nothing was written
-- Cost       commands <= 3 + 2 * users + users / 1000, turns <= 1 + users + users / 1000
--@include lib/invitations

local TOO_MANY_INVITED = "LIMIT_REACHED the room has too many open invitations; take some back, by removing the invited"

local room = load_head(KEYS[1])
if not room or room.deleted or made_otherwise(room, ARGV[2]) then
    return redis.error_reply(ROOM_UNKNOWN)
end
local awaited, invited, seen = room.key .. ":n", {}, {}
for i = 3, #ARGV do
    local user = ARGV[i]
    if not seen[user] and not load_record(room, user) and redis.call("SISMEMBER", awaited, user) == 0 then
        seen[user] = true
        invited[#invited + 1] = user
    end
end
if #invited > 0 then
    if redis.call("SCARD", awaited) + #invited > tonumber(ARGV[1]) then
        return redis.error_reply(TOO_MANY_INVITED)
    end
    for i = 1, #invited, 1000 do
        redis.call("SADD", awaited, unpack(invited, i, math.min(i + 999, #invited)))
    end
end
return invited
