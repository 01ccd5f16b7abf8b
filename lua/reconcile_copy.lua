#!lua flags=allow-oom
-- reconcile_copy: a failover may have set back a room or the side of a user. The room takes what
-- the copy of a member knows of their reading, and the copy then follows the room.
--
-- Key        room
-- Args       app, user, settings, revision int, cursor int, unread int, state int, tags tagset,
--            asks flag
--            settings: as in lib/settings.lua; revision to tags: of the copy, state GONE for none;
--            asks: the room is on the user's list of rooms with news, or derived there
--
-- Reply      wrong flag   the copy was not as the room says, and is updated
-- Cost       commands <= 16 + newer / 16, turns <= 30 + tags + 2 * newer
--            newer: messages up to the cursor that came after the copy's revision
--@include lib/until
--@include lib/journal
--@include lib/updates
--@include lib/gone
--@plan

local room = load_head_or_gone(key)
local member = not room.deleted and load_member(room, user)

-- Whether the copy is what the room has told, or would tell.
local function is_right()
    if not member then
        return state == GONE
    elseif state == GONE or revision > room.revision or cursor > member.cursor then
        return false
    elseif asks or room.derived or room.ordinal >= member.attentive_until then
        return asks
    end
    return cursor == member.cursor and unread == unread_after(room, member.ordinal)
        and state == copy_state(room, member.attentive_until) and tags == (state == ACTIVE and room.tags or "")
end

-- The seq up to which the room lets the copy's cursor stand: none of a message that came after it.
local function seq_of_cursor()
    local seq = math.min(cursor, room.seq)
    return math.max(newest_until(room, math.floor(revision / 1000), seq), math.min(seq, room.oldest - 1))
end

if is_right() then
    return finish(room, 0)
end
local seq = member and state ~= GONE and cursor > member.cursor and seq_of_cursor() or 0
local is_behind = member and seq > member.cursor
if is_behind or revision >= room.revision then
    raise_revision(room, revision + 1)
end
if is_behind then
    local _, _, _, _, _, ordinal = message_at(room, seq)
    member.ordinal = math.max(member.ordinal, ordinal or 0)
    move_cursor(room, member, seq, settings)
    member.read = math.max(member.read, seq)
    member.attentive_until = attend(room, user, member.attentive_until, settings)
    save_member(room, member)
elseif room.created_revision > 0 then -- it is not gone altogether
    save_head(room)
end
-- The rest of the copy's cursor is of messages that are lost: let it go.
room.created_revision = room.revision
push_present_state(room, { user })
return finish(room, 1)
