-- until: up to which time members have read. Some dialects order one-to-one messages by their
-- senders' clocks only.
--@include lib/members
--@include lib/messages

-- Unix ms, nil when none is noted.
local function read_until_of(room, member)
    return tonumber(redis.call("HGET", room.key .. UNREAD_OVERRIDES, member .. SEPARATOR))
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

-- seq of the newest message up to seq `last` that is remembered and was sent at a time or earlier;
-- 0 when there is none. Chunk by chunk, as times need not rise.
local function newest_until(room, until_ms, last)
    while last >= room.oldest do
        local first = math.max(room.oldest, chunk_of(last) * LOG_CHUNK + 1)
        local times = read_times(room, first, last)
        for i = #times, 3, -3 do
            if times[i] <= until_ms then
                return times[i - 2]
            end
        end
        last = first - 1
    end
    return 0
end

-- Remember it where it can matter: was_read_before is asked in rooms of two.
local function note_until(room, member, until_ms)
    if room.member_count > 2 then
        return
    end
    local before = read_until_of(room, member)
    if not before or before < until_ms then
        redis.call("HSET", room.key .. UNREAD_OVERRIDES, member .. SEPARATOR, string.format("%.0f", until_ms))
    end
end
