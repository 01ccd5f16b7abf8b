#!lua flags=allow-oom
-- restore_cursor: a member's copy knows a higher cursor than the room, which a failover set back:
-- advance the room again.
--
-- Key        room
-- Args       app, user, cursor int, settings
--            cursor: seq; settings: as in lib/settings.lua
--
-- Reply      moved flag   false also when the room was deleted meanwhile
-- Cost       commands <= 14, turns <= 8 + tags
--@include lib/room
--@include lib/messages
--@include lib/journal
--@include lib/updates
--@plan

local room = existing_room(key)
if not room then
    return finish(new_head(key), 0)
end
local member = load_member(room, user)
local wanted = math.min(cursor, room.seq)
if not member or wanted <= member.cursor then
    return finish(room, 0)
end
local message, _, _, _, _, ordinal = message_at(room, wanted)
if message then
    member.ordinal = math.max(member.ordinal, ordinal)
end
raise_revision(room)
move_cursor(room, member, wanted, settings)
member.read = math.max(member.read, wanted)
member.told_until = attend(room, user, member.told_until, settings)
save_member(room, member)
push_to_member(room, user, wanted, member.ordinal, member.told_until)
return finish(room, 1)
