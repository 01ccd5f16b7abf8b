#!lua
-- audit_chunks: fields of a room's log that are outside of what the head says is remembered.
--
-- Key        room
-- Args       repair flag, ...fields
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 3 + 2 * fields, turns <= 2 + 5 * fields
--@include lib/audit
--@include lib/room
--@include lib/messages
--@include lib/terms

local room = existing_room(key)

-- Whether these stand one behind the other among the places that there are.
local function are_jumps(jumps)
    local before = room.oldest - 1
    for i = 1, #jumps, 2 do
        if jumps[i] <= before or jumps[i + 1] < jumps[i] then
            return false
        end
        before = jumps[i + 1]
    end
    return before <= room.seq
end

local function is_remembered(field)
    if field == JUMPS then
        return are_jumps(load_jumps(room))
    elseif string.match(field, "^" .. BUCKET_OF .. "%d+$") then
        return true -- which audit_index looks at
    end
    local number = tonumber(field)
    if number then
        return number >= chunk_of(room.oldest) and number <= chunk_of(room.seq)
    end
    number = tonumber(string.match(field, "^" .. SENDERS_OF .. "(%d+)$"))
    return number and number >= senders_chunk_of(room.oldest) and number <= senders_chunk_of(room.seq)
end

for _, field in ipairs(room and fields or {}) do
    local there = redis.call("HEXISTS", key .. MESSAGE_LOG, field)
    compare(of("chunk", field), there, is_remembered(field) and there or 0, function()
        redis.call("HDEL", key .. MESSAGE_LOG, field)
    end)
end
return { compared, differences }
