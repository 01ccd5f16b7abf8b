-- receipts: who has read one message, and since when.
--@include lib/order
--@include lib/messages
--@include lib/stays

-- seq, sender, time in ms and where the sender had joined, of a message that has receipts; nil when
-- it is unknown (`after`: messages up to this seq are), deleted or recalled.
local function receipted(room, message, after)
    local seq, _, kind, chunk = load_message(room, message)
    if not seq or seq <= after or is_deleted(room, seq, kind) or kind >= RECALLED then
        return nil
    end
    local _, sender, at_ms, joined = read_entry(room, chunk, seq)
    return seq, sender, at_ms, joined
end

-- The acknowledgements of the message at `seq`: { {member, joined, at}, ... }, the same by member,
-- and as they are stored, one behind the other.
local function acknowledgements(room, seq)
    local packed = redis.call("HGET", room.key .. ACKNOWLEDGEMENTS, seq) or ""
    local flat = unpack_values(packed)
    local found, by_member = {}, {}
    for i = 1, #flat - 2, 3 do
        local entry = { member = flat[i], joined = flat[i + 1], at = flat[i + 2] }
        found[#found + 1] = entry
        by_member[entry.member] = entry
    end
    return found, by_member, packed
end

-- Cursor of a member and where they joined, false for a stranger; `known` remembers them by member
-- for the call.
local function standing(room, name, known)
    if known[name] == nil then
        known[name] = load_member(room, name) or { cursor = false, joined = false }
    end
    return known[name].cursor, known[name].joined
end

-- How many have read the message at `seq`, how many have not, and how many had read it and left;
-- its sender is not counted.
local function count_receipts(room, order, seq, sender, sender_joined, acknowledged, known)
    local from, below = string.format("%.0f", seq), string.format("(%.0f", seq)
    local read = redis.call("ZCOUNT", order, from, "+inf") - redis.call("ZCOUNT", room.key .. BY_JOINING, from, "+inf")
    local unread = redis.call("ZCOUNT", order, "-inf", below)
    local left = redis.call("ZCOUNT", room.key .. STAYS_BY_CURSOR, from, "+inf")
        - redis.call("ZCOUNT", room.key .. STAYS_BY_JOINING, from, "+inf")
    if sender_joined >= 0 then
        local cursor, joined = standing(room, sender, known)
        if cursor and joined == sender_joined then
            read, unread = read - (cursor >= seq and 1 or 0), unread - (cursor < seq and 1 or 0)
        elseif (ended_stay(room, sender, sender_joined) or 0) >= seq then
            left = left - 1
        end
    end
    for _, entry in ipairs(acknowledged) do
        local cursor, joined = standing(room, entry.member, known)
        if cursor and joined == entry.joined then
            if cursor < seq then
                read, unread = read + 1, unread - 1
            end
        elseif (ended_stay(room, entry.member, entry.joined) or 0) < seq then
            left = left + 1
        end
    end
    return read, unread, left
end
