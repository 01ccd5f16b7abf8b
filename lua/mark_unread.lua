#!lua
-- mark_unread: remember that a member wants to see the room as unread from a message on. No cursor and no count changes.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3]    message   "" for the newest that is there
--
-- Reply      1
-- Errors     ROOM_UNKNOWN, NOT_MEMBER, MESSAGE_UNKNOWN    nothing was written
-- Cost       commands <= 14, turns <= 8 + tags
--@include lib/room
--@include lib/history
--@include lib/news
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local user, message = ARGV[2], ARGV[3]
local cursor, ord, read, joined, at, moves, marked, tail = load_member(room, user)
if not cursor then
    return redis.error_reply(NOT_MEMBER)
end
local seq, _, kind = load_message(room, message ~= "" and message or last_message(room)[1] or "")
if not seq or is_deleted(room, seq, kind) then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
if marked == 1 and tonumber(redis.call("HGET", room.key .. ":u", user)) == seq then
    tell_owed(room)
    return finish(room, 1)
end
raise_revision(room)
redis.call("HSET", room.key .. ":u", user, seq)
save_member(room, user, cursor, ord, read, joined, at, moves, 1, tail)
tell_member(room, user, cursor, ord)
return finish(room, 1)
