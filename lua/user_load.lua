#!lua
-- user_load: how much is kept for a user, before they are brought into a room or one of their rooms gets other tags.
--
-- KEYS[1]    user
-- ARGV[1]    room
-- ARGV[2]    tags      that it has or is to have, canonical tag set
--
-- Reply      { is_in, rooms, tags, weight, new_tags, new_weight }   is_in: 1 for a member of that room; rooms, frozen and derived ones
--            included; tags: distinct ones on counted rooms; weight: of their distinct tag sets; new_*: what the room's tags would add, less
--            what goes with those that it has now
-- Cost       commands <= 16, turns <= 4 * tags
--@include lib/copies
--@include lib/tag_sets

local key, tags = KEYS[1], ARGV[2]
local copy = redis.call("HGET", key, "r" .. ARGV[1])
local is_in, old_tags = false, ""
if copy then
    local state, _
    _, _, _, state, _, old_tags = read_copy(copy)
    is_in = state ~= GONE
end
make_missing_tags(key)
local new_tags, new_weight = 0, 0
if tags ~= "" and redis.call("HEXISTS", key .. ":s", tags) == 0 then
    new_tags, new_weight = gain_of(key, old_tags, tags)
end
local known, weight = tags_of_user(key)
return { is_in and 1 or 0, rooms_of_user(key), known, weight, new_tags, new_weight }
