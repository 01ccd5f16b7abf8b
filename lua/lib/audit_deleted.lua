-- audit_deleted: the holes, and the seqs of deleted messages, held against the log. `walk` is that
-- of lib/audit_log.lua.
--@include lib/audit
--@include lib/room

-- The numbers that are stored in a set between two, and those that must be; `change` makes one be
-- there or not.
local function audit_numbers(what, set, low, high, expected, floor, change)
    local from = string.format("(%.0f", math.max(low, floor))
    for _, name in ipairs(redis.call("ZRANGEBYSCORE", set, from, string.format("%.0f", high))) do
        local number = tonumber(name)
        if number and expected[number] then
            compared = compared + 1
            expected[number] = nil
        elseif number then -- what is none is found by audit_holes
            compare(of(what, name), name, "", function()
                change(false, number)
            end)
        end
    end
    for number in pairs(expected) do
        if number > floor then
            compare(of(what, number), "", number, function()
                change(true, number)
            end)
        end
    end
end

-- The holes and the seqs of messages that were deleted one by one, as far as the walk has come.
local function audit_deleted(walk)
    local room = walk.room
    audit_numbers("hole", room.key .. HOLES, walk.expected, walk.high, walk.holes, room.floor, function(add, ordinal)
        if add then
            add_hole(room, ordinal)
            save_head(room)
        else
            redis.call("ZREM", room.key .. HOLES, string.format("%.0f", ordinal))
        end
    end)
    local deleted = room.key .. DELETED_SEQS
    audit_numbers("deleted", deleted, walk.seq, walk.top, walk.deleted, room.floor_seq, function(add, seq)
        if add then
            redis.call("ZADD", deleted, seq, seq)
        else
            redis.call("ZREM", deleted, string.format("%.0f", seq))
        end
    end)
end
