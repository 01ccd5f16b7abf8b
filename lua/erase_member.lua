#!lua flags=allow-oom
-- erase_member: a name stands in for a user who has left a room, wherever the room tells of their
-- stays. All that was only theirs is deleted.
--
-- Key        room
-- Args       user, stand_in, ...chunks, ...stays, ...seqs
--            chunks, stays: fields of the user in the journals, and of the user's stays; seqs: of
--            messages that they acknowledged
--
-- Reply      done flag   0: they are a member, and nothing was done
-- Cost       commands <= 24 + 3 * chunks + 9 * stays + 2 * seqs,
--            turns <= 8 + 2 * chunks + 3 * stays + seqs * (8 + 5 * acknowledged)
--            acknowledged: those who have acknowledged one of them
--@include lib/erasing

if redis.call("HEXISTS", key, user) == 1 and user ~= HEAD then
    return 0
end
local function renamed(field)
    return stand_in .. string.sub(field, #user + 1)
end

for _, chunk in ipairs(chunks) do
    rename_field(key .. JOURNALS, chunk, renamed(chunk))
end
for _, stay in ipairs(stays) do
    rename_field(key .. LEAVERS, stay, renamed(stay))
    rename_in_order(key .. STAYS_BY_CURSOR, stay, renamed(stay))
    rename_in_order(key .. STAYS_BY_JOINING, stay, renamed(stay))
end
rename_field(key .. LEAVERS, user, stand_in)
for _, seq in ipairs(seqs) do
    rename_acknowledgement({ key = key }, seq, user, stand_in)
end
redis.call("HDEL", key .. UNREAD_OVERRIDES, user, user .. SEPARATOR)
redis.call("HDEL", key .. DELETED_MEMBERS, user)
redis.call("HDEL", key .. PENDING, user)
redis.call("SREM", key .. INVITED, user)
redis.call("SREM", key .. ATTENTIVE, user)
redis.call("ZREM", key .. BY_CURSOR, user)
redis.call("ZREM", key .. BY_JOINING, user)
return 1
