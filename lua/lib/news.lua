-- news: from a changed room to what its members are to be told. `tell` is the plan's.
--@include lib/states
--@include lib/room
--@plan

-- Tell one member, whose cursor stands at `cursor` / `ord`. Derived rooms count nothing on the user's side.
local function tell_member(room, member, cursor, ord)
    tell(room, member, cursor, room.derived and 0 or unread_after(room, ord), copy_state(room))
end

-- Tell every member whose cursor stands before ordinal `before` (nil: every member).
local function tell_members(room, before)
    local flat = redis.call("HGETALL", room.key)
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD then
            local cursor, ord = struct.unpack(COUNTS_LAYOUT, flat[i + 1])
            if not before or ord < before then
                tell_member(room, flat[i], cursor, ord)
            end
        end
    end
end

-- Tell `members` what the room now says of them, whoever they are.
local function tell_anew(room, members)
    for _, member in ipairs(members) do
        local cursor, ord
        if not room.deleted then
            cursor, ord = load_member(room, member)
        end
        if cursor then
            tell_member(room, member, cursor, ord)
        else
            tell(room, member, 0, 0, GONE)
        end
    end
end

-- A repeated call changes nothing, but pays what its first attempt may have left owing.
local function tell_owed(room)
    tell_anew(room, owed_members(room))
end
