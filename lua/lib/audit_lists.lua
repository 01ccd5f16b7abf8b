-- audit_lists: where a member must stand in the lists of a room's members.
--@include lib/audit
--@include lib/room
--@include lib/members

local function audit_lists(room, member)
    local name = member.name
    local order, joining = room.key .. BY_CURSOR, room.key .. BY_JOINING
    if room.large then
        compare(of("order", name), redis.call("ZSCORE", order, name), string.format("%.0f", member.cursor), function()
            redis.call("ZADD", order, member.cursor, name)
        end)
        if room.ordinal < member.attentive_until then
            compare(of("attentive", name), redis.call("SISMEMBER", room.key .. ATTENTIVE, name), 1, function()
                redis.call("SADD", room.key .. ATTENTIVE, name)
            end)
        end
    end
    local stored = redis.call("ZSCORE", joining, name)
    if member.joined > 0 and member.joined >= room.oldest then
        compare(of("joining", name), stored, string.format("%.0f", member.joined), function()
            redis.call("ZADD", joining, member.joined, name)
        end)
    elseif stored and tonumber(stored) >= room.oldest then
        note_difference(of("joining", name), stored, "", function()
            redis.call("ZREM", joining, name)
        end)
    end
end
