#!lua flags=allow-oom
-- delete_room: delete a room, its messages and its members' states.
--
-- Key        room
-- Args       app, made
--            made: "1": only a room that a client made, "0": only another, "": any
--
-- Reply      { deleted flag, left int }   left: members of a room above the fan-out limit whom
--            sweep_room has yet to update
-- Publishes  gone, when deleted
-- Cost       commands <= 29 + members * 25, turns <= 16 + 4 * tags + members * (35 + 4 * tags)
--            members: of a large room the attentive ones, of a derived one none; sweep_room updates
--            the others
--@include lib/room
--@include lib/gone
--@include lib/updates
--@include lib/notices
--@plan

local room = load_head(key)
if not room then
    return finish(new_head(key), { 0, 0 })
end
if room.deleted or made_otherwise(room, made) then
    push_pending(room)
    return finish(room, { 0, redis.call("HLEN", room.key .. DELETED_MEMBERS) })
end
raise_revision(room)
-- Of a large room those are updated now whose counters have it, the others later.
local members = {}
if not room.large then
    members = member_names(room)
else
    if not room.derived then
        members = redis.call("SMEMBERS", room.key .. ATTENTIVE)
    end
    -- Keep the members for sweep_room, as long as the head is kept; without it they find out when
    -- the room is next asked for.
    redis.call("HDEL", key, HEAD)
    if redis.call("EXISTS", key) == 1 then
        redis.call("RENAME", key, key .. DELETED_MEMBERS)
        redis.call("EXPIRE", key .. DELETED_MEMBERS, HEAD_KEPT_S)
    end
end
room.deleted, room.derived, room.large, room.member_count, room.tags, room.newest = true, false, false, 0, "", ""
redis.call("UNLINK", room.key)
save_head(room)
redis.call("EXPIRE", room.key, HEAD_KEPT_S)
for _, suffix in ipairs(ROOM_CONTENTS) do
    redis.call("UNLINK", room.key .. suffix)
end
push_present_state(room, members)
publish(room, "gone")
return finish(room, { 1, redis.call("HLEN", room.key .. DELETED_MEMBERS) })
