-- updates: from a changed room to its members' sides. `push_update` is the plan's.
--@include lib/states
--@include lib/members
--@plan

-- Update one member, whose cursor stands at `cursor` / `ordinal`. Derived rooms count nothing on
-- the user's side.
local function push_to_member(room, member, cursor, ordinal)
    push_update(room, member, cursor, room.derived and 0 or unread_after(room, ordinal), copy_state(room))
end

-- Update every member whose cursor stands before ordinal `before` (nil: every member).
local function push_to_members(room, before)
    local flat = redis.call("HGETALL", room.key)
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD then
            local cursor, ordinal = read_counts(flat[i + 1])
            if not before or ordinal < before then
                push_to_member(room, flat[i], cursor, ordinal)
            end
        end
    end
end

-- Update these users with what the room now says of them, members or not.
local function push_present_state(room, users)
    for _, user in ipairs(users) do
        local cursor, ordinal
        if not room.deleted then
            cursor, ordinal = load_counts(room, user)
        end
        if cursor then
            push_to_member(room, user, cursor, ordinal)
        else
            push_update(room, user, 0, 0, GONE)
        end
    end
end

-- A repeated call changes nothing, but pushes what its first attempt may have left pending.
local function push_pending(room)
    push_present_state(room, pending_members(room))
end
