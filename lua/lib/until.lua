-- until: up to which time members have read. Some dialects order one-to-one messages by their
-- senders' clocks only.
--@include lib/members

-- Unix ms, nil when none is noted.
local function read_until_of(room, member)
    return tonumber(redis.call("HGET", room.key .. SET_BY_HAND, member .. SEPARATOR))
end

-- Whether every member but the sender has read up to a later time than this message's: it was
-- read before it came.
local function was_read_before(room, sender, sent_ms)
    local others = 0
    for _, member in ipairs(member_names(room)) do
        if member ~= sender then
            others = others + 1
            local read_until = read_until_of(room, member)
            if not read_until or read_until <= sent_ms then
                return false
            end
        end
    end
    return others > 0
end

-- Remember it where it can matter: was_read_before is asked in rooms of two.
local function note_until(room, member, until_ms)
    if room.member_count > 2 then
        return
    end
    local before = read_until_of(room, member)
    if not before or before < until_ms then
        redis.call("HSET", room.key .. SET_BY_HAND, member .. SEPARATOR, string.format("%.0f", until_ms))
    end
end
