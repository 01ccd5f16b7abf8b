-- takeover: a backend makes a room of an id that a client has taken. The room becomes what the
-- backend says, and who is not named leaves.
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

-- Members are those in ARGV from `first` on, of whom those up to `last` join now; cursors of those who
-- stay, and the messages, stay.
-- True when it has to be called again: the mark of the client goes last, so that a repeat goes on
-- after a crash.
local function take_over(room, tags, first, last, limit, keep)
    local named, left = {}, {}
    for i = first, #ARGV do
        named[ARGV[i]] = true
    end
    raise_revision(room)
    local others = others_than(room, named)
    for i = 1, #others, 2 do
        end_stay(room, others[i], others[i + 1])
        left[#left + 1] = others[i]
    end
    room.size = room.size - #left
    room.by_client = #left == LEAVE_AT_ONCE
    redis.call("UNLINK", room.key .. ":n")
    local changed = room.tags ~= tags or not room.active
    room.tags, room.active = tags, true
    local joined = begin_stays(room, first, last, keep)
    local crossed = cross_if_due(room, limit)
    save_head(room)
    tell_anew(room, left)
    if crossed or (changed and not room.derived) then
        tell_members(room)
    else
        tell_anew(room, joined)
    end
    tell_owed(room)
    if #left > 0 then
        publish("left", room_of(room.key), left)
    end
    if #joined > 0 then
        publish("joined", room_of(room.key), joined)
    end
    publish("room", room_of(room.key))
    return room.by_client
end
