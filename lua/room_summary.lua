#!lua flags=no-writes
-- room_summary: what choosing among the rooms of a user needs of one of them.
--
-- KEYS[1]    room
-- ARGV[1]    user
-- ARGV[2]    tags     1: with the room's tags
-- ARGV[3..]  fields   of the profile that are wanted
--
-- Reply      { active, created_ms, last_ms, unread, moved_ms, has_read, marked_ms, tags, profile }
--            last_ms: of the newest message that is still there, 0 without any; profile: { JSON or nil, ... } in the order of `fields`;
--            {} when there is no such room, or the user is no member of it
-- Cost       commands <= 10, turns <= 4
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
    last_message(room)[4] or 0,
    unread_after(room, ord),
    math.floor(room.born / 1000) + at,
    read > 0 and 1 or 0,
    marked_since(room, ARGV[1], marked),
    ARGV[2] == "1" and room.tags or "",
    profile,
}
