#!lua
-- audit_journals: chunks of members' journals that are damaged, or of no member.
--
-- Key        room
-- Args       repair flag, ...chunks
--            chunks: their fields
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 1 + 4 * chunks, turns <= 6 * chunks
--@include lib/audit
--@include lib/room
--@include lib/members
--@include lib/journal

local room = existing_room(key)

local function belongs(field)
    local name, number = string.match(field, "^(.*)" .. SEPARATOR .. "(%d+)$")
    local member = name and (load_member(room, name) or read_member(name, redis.call("HGET", key .. LEAVERS, name)))
    return member and tonumber(number) <= newest_chunk(member.moves)
end

for _, field in ipairs(room and chunks or {}) do
    local chunk = redis.call("HGET", key .. JOURNALS, field)
    local is_right = not chunk or open_chunk(chunk) and belongs(field)
    compare(of("journal", field), is_right and "" or DAMAGED_VALUE, "", function()
        redis.call("HDEL", key .. JOURNALS, field)
    end)
end
return { compared, differences }
