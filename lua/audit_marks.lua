#!lua
-- audit_marks: unread marks, times up to which members have read, and the lowest count that was set
-- by hand.
--
-- Key        room
-- Args       repair flag, ...fields
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 1 + 3 * fields, turns <= 6 * fields
--@include lib/audit
--@include lib/room
--@include lib/members

local room = existing_room(key)

-- What a field must hold, "" for nothing; and what is written when it does not.
local function expected_of(field, stored)
    local number = tonumber(stored)
    local is_whole = number and number >= 0 and number % 1 == 0
    if field == SEPARATOR then
        return is_whole and number <= room.ordinal and stored or "0"
    elseif string.sub(field, -1) == SEPARATOR then
        return is_whole and stored or ""
    end
    local member = load_member(room, field)
    return member and member.marked == 1 and is_whole and number >= 1 and number <= room.seq and stored or ""
end

for _, field in ipairs(room and fields or {}) do
    local stored = redis.call("HGET", key .. UNREAD_OVERRIDES, field)
    local expected = stored and expected_of(field, stored)
    if expected then
        compare(of("mark", field), stored, expected, function()
            if expected == "" then
                redis.call("HDEL", key .. UNREAD_OVERRIDES, field)
            else
                redis.call("HSET", key .. UNREAD_OVERRIDES, field, expected)
            end
        end)
    end
end
return { compared, differences }
