#!lua flags=no-writes
-- room: one room as one user sees it.
--
-- KEYS[1]    room
-- ARGV[1]    user    "" for nobody
--
-- Reply      { active, tags, created_ms, seq, members, profile, last, me, invited, by_client }
--            profile: { name, JSON, ... }; last: { message, seq, sender, at_ms } or {};
--            me: { cursor, unread, last_read, moved_ms, has_read, marked_ms, joined } or {}
--            invited, by_client: 1 or 0
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 12, turns <= 6
--@include lib/room
--@include lib/history

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local me, invited = {}, 0
local cursor, ord, read, joined, at, _, marked = load_member(room, ARGV[1])
if cursor then
    local marked_ms = marked_since(room, ARGV[1], marked)
    local moved_ms = math.floor(room.born / 1000) + at
    local last_read, has_read = message_at(room, read) or "", read > 0 and 1 or 0
    me = { cursor, unread_after(room, ord), last_read, moved_ms, has_read, marked_ms, joined }
else
    invited = redis.call("SISMEMBER", room.key .. ":n", ARGV[1])
end
return {
    room.active and 1 or 0,
    room.tags,
    math.floor(room.born / 1000),
    room.seq,
    room.size,
    redis.call("HGETALL", room.key .. ":f"),
    last_message(room),
    me,
    invited,
    room.by_client and 1 or 0,
}
