#!lua
-- audit_copies: copies on a user's side that cannot be read, or have a stamp of the future. With
-- `repair` they are dropped, and their rooms tell them anew.
--
-- Key        user
-- Args       repair flag, ...rooms
--            rooms: whose copies are not as their rooms say: they lose stamp and cursor, so that
--            whatever the room tells next takes their place; counters stay what they are
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 4 + 3 * rooms, turns <= 10 + 15 * rooms
--@include lib/audit
--@include lib/copies
--@include lib/tags
--@include lib/text

local function are_tags(tags)
    for tag in each_tag(tags) do
        if not is_text(tag) then
            return false
        end
    end
    return true
end

local _, latest = clock_us()
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    local room = room_of_field(flat[i])
    if room then
        local revision, _, _, state, _, tags = unless_damaged(pcall(read_copy, flat[i + 1]))
        local is_right = revision and revision <= latest and state <= GONE and are_tags(tags)
        compare(of("copy", room), is_right and "" or DAMAGED_VALUE, is_right and "" or "that of the room", function()
            redis.call("HDEL", key, flat[i])
        end)
    end
end
for _, room in ipairs(rooms) do
    local packed = redis.call("HGET", key, COPY_OF .. room)
    if packed then
        local _, _, unread, state, changed_at, tags = read_copy(packed)
        redis.call("HSET", key, COPY_OF .. room, pack_copy(0, 0, unread, state, changed_at, tags))
    end
end
return { compared, differences }
