-- visiting: a user asks a room that their side does not know to be up to date, and so pays
-- attention to it.
--@include lib/attention
--@include lib/states
--@include lib/gone

-- The room's head, and what the user's side must hold of it: cursor, unread and state. Attention
-- changes nothing that others see, so the revision stays.
local function visit(key, user, settings)
    local room, record = load_head_and_record(key, user)
    if not room or room.deleted or not record then
        return room or load_head_or_gone(key), 0, 0, GONE
    end
    local cursor, ordinal, told_until = read_counts(record)
    if not room.derived then
        local now = attend(room, user, told_until, settings)
        if now ~= told_until then
            save_told_until(room, user, record, now)
            told_until = now
        end
    end
    return room, cursor, unread_after(room, ordinal), copy_state(room, told_until)
end
