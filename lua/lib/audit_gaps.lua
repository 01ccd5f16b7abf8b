-- audit_gaps: messages that are missing in the log. `walk` is that of lib/audit_log.lua.
--@include lib/audit
--@include lib/log_entries
--@include lib/room
--@include lib/terms

-- The id of what stands for a message whose own id is lost.
local function stand_in_id(room, seq)
    return string.sub(redis.sha1hex(room.key .. string.format("%.0f", seq)), 1, 24)
end

-- Something stands for a message of which nothing is known but that it was counted: so every count
-- stays as it is.
local function put_stand_in(room, seq, ordinal, kind, message)
    local packing, id = pack_id(message)
    put_entry(room, {
        seq = seq, ordinal = ordinal, kind = kind, packing = packing, id = id, at_ms = math.floor(room.revision / 1000),
        sender_at = place_of_no_sender(room, seq),
    })
    index_again(room, message, seq)
end

-- Messages are missing above `below`, of which `lost` were countable. The id of the newest is
-- known. So many that none of them was counted were left out by a jump that is not noted any more.
local function fill_gap(walk, below, lost)
    local room, gap = walk.room, walk.gap
    local places = gap - below
    if lost == 0 and places >= JUMP or places > MOST_STAND_INS then
        note_difference("jump up to " .. shown(gap), "", below + 1, function()
            note_jump(room, below + 1, gap)
        end)
        return
    end
    local newest = gap == room.seq and room.newest ~= "" and not load_message(room, room.newest)
    note_difference("messages up to " .. shown(gap), "", LOST, function()
        for back = 0, places - 1 do
            local seq = gap - back
            local message = newest and back == 0 and room.newest or stand_in_id(room, seq)
            local ordinal = walk.expected - math.max(math.min(back, lost), 0)
            put_stand_in(room, seq, math.max(ordinal, 0), back < lost and COUNTABLE or 0, message)
        end
    end)
end

-- Everything below is missing: there the history ends.
local function end_at_gap(walk)
    local room, gap = walk.room, walk.gap
    if gap == room.seq and room.newest ~= "" then
        fill_gap(walk, gap - 1, 1)
        gap = gap - 1
    end
    if gap >= room.oldest then
        compare("oldest", room.oldest, gap + 1, function()
            room.oldest = gap + 1
            save_head(room)
        end)
    end
end
