#!lua
-- audit_stays: stays that have ended, and the records of those who have left.
--
-- Key        room
-- Args       repair flag, ...names
--            names: of stays, and of members who have left
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 1 + 9 * names, turns <= 12 * names
--@include lib/audit
--@include lib/room
--@include lib/stays

local room = existing_room(key)
local leavers, by_cursor, by_joining = key .. LEAVERS, key .. STAYS_BY_CURSOR, key .. STAYS_BY_JOINING

local function audit_stay(stay, name, joined)
    local cursor, ended = ended_stay(room, name, joined)
    local record = redis.call("HGET", key, name) or redis.call("HGET", leavers, name)
    local in_order, by_seq = redis.call("ZSCORE", by_cursor, stay), redis.call("ZSCORE", by_joining, stay)
    if not (in_order or by_seq or redis.call("HEXISTS", leavers, stay) == 1) then
        return -- forgotten meanwhile
    end
    if not (tonumber(cursor) and tonumber(ended) and read_member(name, record)) then
        note_difference(of("stay", stay), DAMAGED_VALUE, LOST, function()
            redis.call("HDEL", leavers, stay)
            redis.call("ZREM", by_cursor, stay)
            redis.call("ZREM", by_joining, stay)
        end)
        return
    end
    compare(of("stay", stay), in_order, string.format("%.0f", cursor), function()
        redis.call("ZADD", by_cursor, cursor, stay)
    end)
    compare(of("stay", stay), by_seq, string.format("%.0f", joined), function()
        redis.call("ZADD", by_joining, joined, stay)
    end)
end

for _, found in ipairs(room and names or {}) do
    local name, joined = read_stay(found)
    if name then
        audit_stay(found, name, joined)
    elseif redis.call("HEXISTS", leavers, found) == 1 then
        local is_right = read_member(found, redis.call("HGET", leavers, found)) and not load_member(room, found)
        compare(of("leaver", found), "there", is_right and "there" or "", function()
            redis.call("HDEL", leavers, found)
        end)
    elseif redis.call("ZSCORE", by_cursor, found) or redis.call("ZSCORE", by_joining, found) then
        note_difference(of("stay", found), DAMAGED_VALUE, LOST, function()
            redis.call("ZREM", by_cursor, found)
            redis.call("ZREM", by_joining, found)
        end)
    end
end
return { compared, differences }
