#!lua
-- audit_members: the records of some members, held against the head, the log, the journal and, in a
-- large room, the order and the set of attentive members.
--
-- Key        room
-- Args       repair flag, settings, ...members (name, cursor)
--            cursor: as the member's copy has it, "" when that is not known
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 4 + members * (24 + journal), turns <= 4 + members * (65 + journal)
--            journal: chunks of the longest one
--@include lib/audit
--@include lib/audit_records
--@include lib/audit_lists

local room = existing_room(key)
for i = 1, room and #members or 0, 2 do
    local record = members[i] ~= HEAD and redis.call("HGET", key, members[i])
    if record then
        local member = audit_record(room, members[i], record, tonumber(members[i + 1]), settings)
        audit_lists(room, member)
    end
end
return { compared, differences }
