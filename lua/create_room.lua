#!lua
-- create_room: create a room unless it exists, and add members. A backend takes over a
-- room that a client has made.
--
-- Key        room
-- Args       app, tags tagset, settings, by_client flag,
--            ...profile (name, value), ...joining, ...others
--            settings: as in lib/settings.lua
--            by_client: a room that exists stays as it is, and no member is added
--            joining: who join in this script; others: who are named too, and join later
--
-- Reply      outcome int   1 created, 0 it existed, 2 it is being taken over: call again
-- Publishes  left, joined, then room, when members left or joined, or the room was taken over
-- Cost       commands <= 46 + fields + 25 * members + 34 * left + 28 * lot,
--            turns <= 30 + 2 * fields + 2 * named + (1 + members + left + lot) * (35 + 7 * tags)
--            fields: of the profile; members: those there were, when the room becomes large or is
--            taken over, who stay; left: who leave, 100 at a time; named: in the call, of whom the
--            lot joins
--@include lib/room
--@include lib/membership
--@include lib/takeover
--@include lib/terms
--@plan

local room = load_head(key)

local function set_profile()
    redis.call("UNLINK", room.key .. PROFILE)
    for i = 1, #profile, 2 do
        redis.call("HSET", room.key .. PROFILE, profile[i], profile[i + 1])
    end
end

local created = not room or room.deleted
if created then
    -- The head of a deleted room goes on counting, so that late updates are recognised as old.
    room = room or new_head(key)
    raise_revision(room)
    room.newest, room.oldest, room.buckets = "", room.seq + 1, 1
    jump_if_due(room)
    room.created_revision, room.tags = room.revision, tags
    room.active, room.deleted, room.derived, room.large, room.member_count = true, false, false, false, 0
    room.floor, room.floor_seq, room.deleted_count, room.top_hole = room.ordinal, room.seq, 0, 0
    room.by_client = by_client
    redis.call("UNLINK", room.key)
    save_head(room)
    set_profile()
elseif by_client then
    push_pending(room)
    return finish(room, 0)
elseif room.by_client then
    set_profile()
    local again = take_over(room, tags, joining, others, settings)
    return finish(room, again and 2 or 0)
end
local joined = add_members(room, joining, settings)
announce_joined(room, joined)
return finish(room, created and 1 or 0)
