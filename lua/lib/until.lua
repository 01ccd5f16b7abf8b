-- until: reading up to a time, as dialects do whose one-to-one messages have no order but their senders' clocks.
--@include lib/room
--@include lib/journal

-- Field of :u that holds up to which time a member has read.
local function until_field(member)
    return member .. SEPARATOR
end

-- Whether everybody but the sender has read up to a later time than this message's: it was read before it came.
local function was_read_before(room, sender, sent_ms)
    local others = 0
    for _, member in ipairs(members_of(room)) do
        if member ~= sender then
            others = others + 1
            local read_until = redis.call("HGET", room.key .. ":u", until_field(member))
            if not read_until or tonumber(read_until) <= sent_ms then
                return false
            end
        end
    end
    return others > 0
end

-- Remember it, where it can matter: was_read_before asks in rooms of two.
local function note_until(room, member, until_ms)
    if room.size > 2 then
        return
    end
    local before = redis.call("HGET", room.key .. ":u", until_field(member))
    if not before or tonumber(before) < until_ms then
        redis.call("HSET", room.key .. ":u", until_field(member), string.format("%.0f", until_ms))
    end
end
