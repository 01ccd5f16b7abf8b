-- views: a member's state in a room, as it is shown.
--@include lib/members
--@include lib/messages
--@include lib/marks

-- { member, cursor, unread, last read message, when the cursor moved, whether they have ever read,
-- time of the message from which they have marked the room as unread, where they joined }
local function member_view(room, member, with_last_read)
    local marked_ms = false
    local mark = member.marked == 1 and mark_of(room, member.name)
    if mark then
        marked_ms = select(3, message_at(room, mark)) or false
    end
    return {
        member.name,
        member.cursor,
        unread_after(room, member.ordinal),
        with_last_read and message_id_at(room, member.read) or "",
        created_ms_of(room) + member.at,
        member.read > 0 and 1 or 0,
        marked_ms,
        member.joined,
    }
end
