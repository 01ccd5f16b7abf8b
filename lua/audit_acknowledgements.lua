#!lua
-- audit_acknowledgements: who acknowledged some messages.
--
-- Key        room
-- Args       repair flag, ...seqs
--            seqs: the fields
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 1 + 2 * seqs, turns <= seqs * (8 + acknowledged)
--            acknowledged: those who have acknowledged one of them
--@include lib/audit
--@include lib/room
--@include lib/receipts
--@include lib/text

local room = existing_room(key)

local function are_entries(packed)
    local values = unpack_values(packed)
    for i = 1, #values, 3 do
        local member, joined, at = values[i], tonumber(values[i + 1]), tonumber(values[i + 2])
        if not (type(member) == "string" and is_text(member) and joined and at) then
            return false
        end
    end
    return #values > 0
end

for _, field in ipairs(room and seqs or {}) do
    local packed, seq = redis.call("HGET", key .. ACKNOWLEDGEMENTS, field), tonumber(field)
    if packed then
        local is_right = seq and seq >= room.oldest and seq <= room.seq and are_entries(packed)
        compare(of("acknowledgements", field), is_right and "" or DAMAGED_VALUE, is_right and "" or LOST, function()
            redis.call("HDEL", key .. ACKNOWLEDGEMENTS, field)
        end)
    end
end
return { compared, differences }
