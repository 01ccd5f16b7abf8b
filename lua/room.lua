#!lua flags=no-writes
-- room: one room as one user sees it.
--
-- KEYS[1]    room
-- ARGV[1]    user    "" for nobody
--
-- Reply      { active, tags, created_ms, seq, members, profile, last, me }
--            profile: { name, JSON, ... }; last: { message, seq, sender, at_ms } or {};
--            me: { cursor, unread, last_read, moved_ms, has_read, marked_ms } or {}
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 12, turns <= 6
--@include lib/room
--@include lib/history

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local me = {}
local cursor, ord, read, _, at, _, marked = load_member(room, ARGV[1])
if cursor then
    local marked_ms = marked_since(room, ARGV[1], marked)
    local moved_ms = math.floor(room.born / 1000) + at
    me = { cursor, unread_after(room, ord), (message_at(room, read)) or "", moved_ms, read > 0 and 1 or 0, marked_ms }
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
}
