#!lua
-- acknowledge: record that a member has read single messages, without moving the cursor. For rooms small enough to list their readers.
--
-- KEYS[1]    room
-- ARGV[1]    user
-- ARGV[2..]  messages
--
-- Reply      those that were news: not read already, as one's own are, and not deleted
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, ROOM_TOO_LARGE    nothing was written
-- Cost       commands <= 5 + 3 * messages, turns <= messages * (1 + acknowledged)
--            acknowledged: those who have acknowledged one of them
--@include lib/room
--@include lib/receipts

-- So many have acknowledged one message at most: who joins later has nothing to acknowledge.
local MOST_MEMBERS = 200

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local user = ARGV[1]
local cursor, _, _, joined = load_member(room, user)
if not cursor then
    return redis.error_reply(NOT_MEMBER)
end
if room.size > MOST_MEMBERS then
    return redis.error_reply("ROOM_TOO_LARGE single messages can be acknowledged in rooms of up to 200 members")
end
raise_revision(room)
local entry = cmsgpack.pack(user, joined, room_clock(room))
local done, fields, known = {}, {}, {}
for i = 2, #ARGV do
    local seq, sender = receipted(room, ARGV[i])
    if seq and seq > cursor and sender ~= user and not known[seq] then
        known[seq] = true
        local packed, found = find_acknowledgement(room, seq, user)
        -- Who left and came back joined behind what they had acknowledged, so this is of the present membership.
        if not found then
            fields[#fields + 1], fields[#fields + 2] = seq, packed .. entry
            done[#done + 1] = ARGV[i]
        end
    end
end
if #done > 0 then
    redis.call("HSET", room.key .. ":q", unpack(fields))
end
return done
