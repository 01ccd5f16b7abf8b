#!lua
-- user_load: how much is kept for a user, before they are brought into a room or one of their rooms
-- gets other tags.
--
-- Key        user
-- Args       room, tags tagset
--            tags: that the room has or is to have, canonical tag set
--
-- Reply      { is_in flag, rooms int, tags int, weight int, new_tags int, new_weight int }
--            is_in: a member of that room; rooms: frozen and derived ones included; tags: distinct
--            ones on counted rooms; weight: of their distinct tag sets; new_tags, new_weight: what
--            the room's tags would add, less what goes with those that it has now
-- Cost       commands <= 16, turns <= 4 * tags
--@include lib/copies
--@include lib/tag_sets

local copy = redis.call("HGET", key, COPY_OF .. room)
local is_in, old_tags = false, ""
if copy then
    local state, _
    _, _, _, state, _, old_tags = read_copy(copy)
    is_in = state ~= GONE
end
make_missing_tags(key)
local new_tags, new_weight = 0, 0
if tags ~= "" and redis.call("HEXISTS", key .. TAG_SETS, tags) == 0 then
    new_tags, new_weight = gain_of(key, old_tags, tags)
end
local known, weight = tags_of_user(key)
return { is_in and 1 or 0, rooms_of_user(key), known, weight, new_tags, new_weight }
