#!lua
-- import_head: put a room that is being imported in its place, with all of its messages and without
-- members.
--
-- Key        room
-- Args       source
--
-- Reply      done flag   0: there is another room of this id by now
-- Errors     ROOM_UNKNOWN    nothing of this import is staged; nothing was written
-- Cost       commands <= 36, turns <= 12
--@include lib/staging
--@include lib/terms

local room = staged_room(key, source)
if not room then
    return redis.error_reply(ROOM_UNKNOWN)
elseif existing_room(key) then
    return 0
end
for _, suffix in ipairs(STAGED_CONTENTS) do
    local staged = room.key .. suffix
    redis.call("UNLINK", key .. suffix)
    if redis.call("EXISTS", staged) == 1 then
        redis.call("RENAME", staged, key .. suffix)
        redis.call("PERSIST", key .. suffix)
    end
end
redis.call("HDEL", room.key, HEAD)
-- The head of a deleted room goes on counting, so that late updates are recognised as old.
local before = load_head(key)
room.key = key
raise_revision(room, before and before.revision + 1)
room.term = present_term(room.revision)
redis.call("UNLINK", key)
save_head(room)
return 1
