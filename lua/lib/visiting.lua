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
    local cursor, ordinal, attentive_until = read_counts(record)
    if not room.derived then
        local now = attend(room, user, attentive_until, settings)
        if now ~= attentive_until then
            save_attentive_until(room, user, record, now)
            attentive_until = now
        end
    end
    return room, cursor, unread_after(room, ordinal), copy_state(room, attentive_until)
end
