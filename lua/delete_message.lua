#!lua
-- delete_message: delete one message; every badge that counted it falls by one. Its place stays, so cursors may stand on it.
--
-- KEYS[1]    room
-- ARGV[1]    app
-- ARGV[2]    message
--
-- Reply      count   1, or 0 when it was deleted already
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN    nothing was written
-- Publishes  deleted, when count = 1
-- Cost       O(members) up to the fan-out limit, O(log holes) above
--@include lib/room
--@include lib/deleting
--@include lib/notices
--@plan

local room = load_room(KEYS[1])
if not room then
    return refuse_room()
end
local app, message = ARGV[1], ARGV[2]
local seq, ord, kind = load_message(room, message)
if not seq then
    return refuse_message()
end
local plan = begin(app, room)
if is_deleted(room, seq, kind) then
    plan.tell_owed()
    return plan.finish(0)
end
take_out(plan, room, message, seq, ord, kind, DELETED)
publish(app, { "deleted", room_of(app, room.key), message })
return plan.finish(1)
