-- takeover: a backend makes a room of an id that a client has taken. The room becomes what the
-- backend says, and members whom it does not name leave.
--@include lib/membership

local LEAVE_AT_ONCE = 100 -- members

-- Some of the members who are not `named`, with their records: { member, record, ... }.
local function others_than(room, named)
    local others, place = {}, "0"
    repeat
        local page = redis.call("HSCAN", room.key, place, "COUNT", LEAVE_AT_ONCE)
        place = page[1]
        for i = 1, #page[2], 2 do
            local member = page[2][i]
            if member ~= HEAD and not named[member] and #others < 2 * LEAVE_AT_ONCE then
                named[member] = true -- a scan may come by twice
                others[#others + 1] = member
                others[#others + 1] = page[2][i + 1]
            end
        end
    until place == "0" or #others == 2 * LEAVE_AT_ONCE
    return others
end

-- Let some of the members leave who are neither in `joining` nor in `others`. Returns them.
local function remove_unnamed(room, joining, others)
    local named, left = {}, {}
    for _, member in ipairs(joining) do
        named[member] = true
    end
    for _, member in ipairs(others) do
        named[member] = true
    end
    local unnamed = others_than(room, named)
    for i = 1, #unnamed, 2 do
        end_stay(room, unnamed[i], unnamed[i + 1])
        left[#left + 1] = unnamed[i]
    end
    room.member_count = room.member_count - #left
    return left
end

-- The members are `joining`, who join now, and `others`. Cursors of those who stay, and the
-- messages, stay.
-- True when it has to be called again: the mark of the client goes last, so that a repeat goes on
-- after a crash.
local function take_over(room, tags, joining, others, settings)
    raise_revision(room)
    local left = remove_unnamed(room, joining, others)
    room.by_client = #left == LEAVE_AT_ONCE
    redis.call("UNLINK", room.key .. INVITED)
    local changed = room.tags ~= tags or not room.active
    room.tags, room.active = tags, true
    local joined = begin_stays(room, joining, settings)
    local crossed = cross_if_due(room, settings)
    save_head(room)
    push_present_state(room, left)
    push_present_state(room, joined)
    if changed or crossed then
        push_to_attentive(room, nil, crossed)
    end
    push_pending(room)
    if #left > 0 then
        publish(room, "left", left)
    end
    if #joined > 0 then
        publish(room, "joined", joined)
    end
    publish(room, "room")
    return room.by_client
end
