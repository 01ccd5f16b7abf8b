#!lua
-- import_room: begin to import a room, or say how far this import has come with it.
--
-- Key        room
-- Args       source, created_ms int, seq int, ordinal int, floor_seq int, floor int, deleted int,
--            active flag, by_client flag, tags tagset, ...profile (name, value), ...invited
--            source: what tells imports apart
--            seq, ordinal: of the message before the first one that comes
--            floor_seq, floor: seq and ordinal up to which messages were deleted together
--            deleted: places after floor_seq without a message, of those up to seq
--
-- Reply      { state int, seq int }
--            state: 0: the messages after seq are to come; 1: it is in its place, and members may
--            be missing; 2: there is another room of this id; 3: it was in its place and is deleted
-- Cost       commands <= 25 + fields + invited / 1000, turns <= 40 + 4 * fields + invited
--            fields: of the profile
--@include lib/staging
--@include lib/batches

local live = existing_room(key)
local is_ours = is_of_import(key, source)
if live then
    local is_same = is_ours and live.created_revision == created_ms * 1000
    return { is_same and 1 or 2, live.seq }
end
local staged = staged_room(key, source)
if is_ours then
    return { staged and 0 or 3, staged and staged.seq or 0 }
end

local room = new_head(key .. STAGED)
redis.call("UNLINK", room.key)
for _, suffix in ipairs(STAGED_CONTENTS) do
    redis.call("UNLINK", room.key .. suffix)
end
room.revision, room.created_revision = created_ms * 1000, created_ms * 1000
room.seq, room.ordinal, room.oldest, room.buckets = seq, ordinal, seq + 1, 1
room.floor_seq, room.floor, room.deleted_count = floor_seq, floor, deleted
room.active, room.deleted, room.by_client, room.tags = active, false, by_client, tags
redis.call("HSET", room.key, IMPORT, source)
for i = 1, #profile, 2 do
    redis.call("HSET", room.key .. PROFILE, profile[i], profile[i + 1])
end
call_in_batches("SADD", room.key .. INVITED, invited)
save_staged(room)
return { 0, seq }
