#!lua
-- audit_head: the head of a room against its members, its newest messages and its holes.
--
-- Key        room
-- Args       repair flag
--
-- Reply      { compared int, exists flag, differences [what bytes, stored bytes, expected bytes] }
--            as audit_types; exists: the room is there, and so are its members and messages
-- Cost       commands <= 60 + 3 * messages + buckets, turns <= 100 + 9 * messages + buckets
--            messages: that the log has and the head does not, and those up to the floor, 1,000 at
--            most of each
--@include lib/audit
--@include lib/audit_heads
--@include lib/text

-- The tags that can be any, each once and in their order.
local function canonical_tags(tags)
    local sorted, known = {}, {}
    for tag in each_tag(tags) do
        local at = #sorted + 1
        known[tag] = known[tag] or not is_text(tag)
        while not known[tag] and at > 1 and sorted[at - 1] > tag do
            sorted[at] = sorted[at - 1]
            at = at - 1
        end
        if not known[tag] then
            sorted[at], known[tag] = tag, true
        end
    end
    return table.concat(sorted, SEPARATOR)
end

local room, packed = readable_head(key)
if not packed then
    if redis.call("EXISTS", key) == 1 then
        note_difference("head", "", LOST, function()
            forget_room(key)
        end)
    end
    return { compared, 0, differences }
end
if not room then
    note_difference("head", DAMAGED_VALUE, LOST, function()
        forget_room(key)
    end)
    return { compared, 0, differences }
end
local members = redis.call("HLEN", key) - 1
if room.deleted and members > 0 then
    note_difference("deleted", "1", "0", change_head(room, "deleted", false))
elseif room.deleted then
    return { compared, 0, differences }
end
compare("expiry", math.max(redis.call("TTL", key), 0), 0, function()
    redis.call("PERSIST", key)
end)
compare("size", room.member_count, members, change_head(room, "member_count", members))
audit_clock(room)
audit_newest(room)
audit_places(room)
audit_counts(room)
compare("derived", room.derived and 1 or 0, room.derived and room.large and 1 or 0, change_head(room, "derived", false))
compare("tags", room.tags, canonical_tags(room.tags), change_head(room, "tags", canonical_tags(room.tags)))
return { compared, 1, differences }
