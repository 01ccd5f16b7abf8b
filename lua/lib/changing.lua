-- changing: a property of the room changes on which the members' copies depend.
--@include lib/room
--@include lib/updates
--@include lib/notices
--@plan

-- Save the head, update the attentive members, and publish that the room has changed. `crossed`: by
-- that it became derived.
local function announce_change(room, crossed)
    save_head(room)
    push_to_attentive(room, nil, crossed)
    publish(room, "room")
end

-- The reply. A repeated call, which changed nothing, pushes what its first attempt left pending.
local function finish_change(room, changed)
    if not changed then
        push_pending(room)
    end
    return finish(room, changed and 1 or 0)
end
