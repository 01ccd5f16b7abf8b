#!lua
-- acknowledge: record that a member has read single messages, without moving the cursor. For rooms small enough to list their readers.
--
-- KEYS[1]    room
-- ARGV[1]    user
-- ARGV[2..]  messages
--
-- Reply      those that were news: not read already, as one's own are, and not deleted
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, ROOM_TOO_LARGE    nothing was written
-- Cost       O(messages x members who have acknowledged them)
--@include lib/room
--@include lib/receipts

local MOST_MEMBERS = 1000

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
    return redis.error_reply("ROOM_TOO_LARGE single messages can be acknowledged in rooms of up to 1000 members")
end
raise_revision(room)
local done = {}
for i = 2, #ARGV do
    local seq = receipted(room, ARGV[i])
    if seq and seq > cursor then
        local _, by_member, packed = acknowledgements(room, seq)
        -- Who left and came back joined behind what they had acknowledged, so this is of the present membership.
        if not by_member[user] then
            redis.call("HSET", room.key .. ":q", seq, packed .. cmsgpack.pack(user, joined, room_clock(room)))
            done[#done + 1] = ARGV[i]
        end
    end
end
return done
