#!lua flags=no-writes
-- room_summary: what choosing among the rooms of a user needs of one of them.
--
-- KEYS[1]    room
-- ARGV[1]    user
-- ARGV[2]    parts    0: what is below without tags and last_read; 1: with the room's tags; 2: with both
-- ARGV[3..]  fields   of the profile that are wanted
--
-- Reply      { active, created_ms, last, unread, moved_ms, has_read, marked_ms, tags, profile, last_read }
--            last: the newest message that is still there, { message, seq, sender, at_ms } or {}; profile: { JSON or nil, ... } in
--            the order of `fields`; last_read: message id, or "" without a real read;
--            {} when there is no such room, or the user is no member of it
-- Cost       commands <= 11, turns <= 4
--@include lib/room
--@include lib/history

local room, record = load_head_and_record(KEYS[1], ARGV[1])
if not room or room.deleted or not record then
    return {}
end
local _, ord, read, _, at, _, marked = read_record(record)
local profile = {}
if #ARGV > 2 then
    profile = redis.call("HMGET", room.key .. ":f", unpack(ARGV, 3))
end
return {
    room.active and 1 or 0,
    math.floor(room.born / 1000),
    last_message(room),
    unread_after(room, ord),
    math.floor(room.born / 1000) + at,
    read > 0 and 1 or 0,
    marked_since(room, ARGV[1], marked),
    ARGV[2] ~= "0" and room.tags or "",
    profile,
    ARGV[2] == "2" and message_at(room, read) or "",
}
