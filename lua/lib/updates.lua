-- updates: from a changed room to its members' sides. `push_update` is the plan's.
--@include lib/states
--@include lib/attention
--@plan

-- Update one member, whose cursor stands at `cursor` / `ordinal` and who is told before ordinal
-- `attentive_until`.
local function push_to_member(room, member, cursor, ordinal, attentive_until)
    local state = copy_state(room, attentive_until)
    push_update(room, member, cursor, unread_after(room, ordinal), state)
end

-- Update every attentive member whose count begins before ordinal `before` (nil: every one). A
-- derived room tells no member, apart from the change that made it one (`crossed`).
local function push_to_attentive(room, before, crossed)
    if room.derived and not crossed then
        return
    end
    local state = copy_state(room, room.ordinal + 1)
    local flat = candidates(room)
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD and flat[i + 1] then
            local cursor, ordinal, attentive_until = read_counts(flat[i + 1])
            if room.ordinal < attentive_until and (not before or ordinal < before) then
                push_update(room, flat[i], cursor, unread_after(room, ordinal), state, true)
            end
        end
    end
end

-- A countable post is at the head: tell the attentive members, and put the room on the lists of
-- those whose attention it ends. `renewed`: who was not attentive before this call, if any. Returns
-- how many they are, of each.
local function push_post(room, renewed)
    local state = copy_state(room, room.ordinal + 1)
    local flat, size = candidates(room)
    local told, ended, inattentive = 0, {}, {}
    for i = 1, #flat, 2 do
        local member, record = flat[i], flat[i + 1]
        if member ~= HEAD and record then
            local begins, cursor, ordinal, attentive_until = struct.unpack(SHORT_COUNTS, record)
            if begins < SHORT_BEGINS then
                cursor, ordinal, attentive_until = read_counts(record)
            end
            if room.ordinal < attentive_until then
                told = told + 1
                push_update(room, member, cursor, unread_after(room, ordinal), state, member ~= renewed)
            else
                inattentive[#inattentive + 1] = member
                if room.ordinal == attentive_until then
                    ended[#ended + 1] = member
                    push_update(room, member, cursor, 0, NEWS_ONLY, true)
                end
            end
        end
    end
    if size then
        -- Seldom are there others in ATTENTIVE: those of a room that was derived.
        call_in_batches("SREM", room.key .. ATTENTIVE, told + #ended < size and inattentive or ended)
    end
    return told, #ended
end

-- Update these users with what the room now says of them, members or not.
local function push_present_state(room, users)
    for _, user in ipairs(users) do
        local cursor, ordinal, attentive_until
        if not room.deleted then
            cursor, ordinal, attentive_until = load_counts(room, user)
        end
        if not cursor then
            push_update(room, user, 0, 0, GONE)
        elseif not room.derived and room.ordinal >= attentive_until then
            push_update(room, user, cursor, 0, NEWS_ONLY)
        else
            push_to_member(room, user, cursor, ordinal, attentive_until)
        end
    end
end

-- A repeated call changes nothing, but pushes what its first attempt may have left pending.
local function push_pending(room)
    push_present_state(room, pending_members(room))
end
