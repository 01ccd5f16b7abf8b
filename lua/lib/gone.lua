-- gone: rooms that were deleted, and their heads.
--@include lib/room

-- For so long the head of a deleted room is kept, so that late updates of it are recognised as old.
local HEAD_KEPT_S = 24 * 3600

-- The head of a room, or what stands for it when it has expired: the room is gone, as of now.
local function load_head_or_gone(key)
    local room = load_head(key)
    if not room then
        room = new_head(key)
        raise_revision(room)
    end
    return room
end
