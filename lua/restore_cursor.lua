#!lua flags=allow-oom
-- restore_cursor: a member's copy knows a higher cursor than the room, which a failover set back: advance the room again.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    user
-- ARGV[3]    cursor    seq
-- ARGV[4]    journal   "<moves kept> <ms kept>"
--
-- Reply      1 when the room's cursor moved, else 0, also when the room was deleted meanwhile
-- Cost       commands <= 14, turns <= 8 + tags
--@include lib/room
--@include lib/journal
--@include lib/news
--@plan

local room = load_head(KEYS[1])
if not room or room.deleted then
    return finish({ rev = 0, born = 0, tags = "" }, 0)
end
local user = ARGV[2]
local cursor, ord, read, joined, at, moves, marked, tail = load_member(room, user)
local wanted = math.min(tonumber(ARGV[3]), room.seq)
if not cursor or wanted <= cursor then
    return finish(room, 0)
end
local message = message_at(room, wanted)
local wanted_ord = ord
if message then
    local _, message_ord = load_message(room, message)
    wanted_ord = message_ord
end
raise_revision(room)
at, moves, tail = note_move(room, user, cursor, wanted, at, moves, tail, ARGV[4])
save_member(room, user, wanted, math.max(ord, wanted_ord), math.max(read, wanted), joined, at, moves, marked, tail)
tell_member(room, user, wanted, math.max(ord, wanted_ord))
return finish(room, 1)
