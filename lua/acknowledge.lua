#!lua
-- acknowledge: record that a member has read single messages, without moving the cursor. For rooms
-- small enough to list their readers.
--
-- Key        room
-- Args       user, ...messages
--
-- Reply      [message]   those that are new: not read already, as one's own are, and not deleted
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, ROOM_TOO_LARGE    nothing was written
-- Cost       commands <= 5 + 4 * messages, turns <= messages * (4 + acknowledged)
--            acknowledged: those who have acknowledged one of them
--@include lib/room
--@include lib/members
--@include lib/receipts

-- No more can acknowledge one message: a member who joins later has nothing to acknowledge.
local MOST_MEMBERS = 200

local room = existing_room(key)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
end
local member = load_member(room, user)
if not member then
    return redis.error_reply(NOT_MEMBER)
end
if room.member_count > MOST_MEMBERS then
    return redis.error_reply("ROOM_TOO_LARGE single messages can be acknowledged in rooms of up to 200 members")
end
raise_revision(room)
local entry = cmsgpack.pack(user, member.joined, room_clock(room))
local done, fields, known = {}, {}, {}
for _, message in ipairs(messages) do
    local seq, sender = receipted(room, message, member.cursor)
    if seq and sender ~= user and not known[seq] then
        known[seq] = true
        local _, by_member, packed = acknowledgements(room, seq)
        -- A member who left and came back joined behind what they had acknowledged, so this is of
        -- the present membership.
        if not by_member[user] then
            fields[#fields + 1], fields[#fields + 2] = seq, packed .. entry
            done[#done + 1] = message
        end
    end
end
if #done > 0 then
    redis.call("HSET", room.key .. ACKNOWLEDGEMENTS, unpack(fields))
end
return done
