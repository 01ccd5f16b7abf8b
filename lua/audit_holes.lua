#!lua
-- audit_holes: holes, and seqs of deleted messages, that can be none: those within what is
-- remembered are held against the log by audit_messages.
--
-- Key        room
-- Args       repair flag, ...holes, ...deleted
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 1 + 2 * numbers, turns <= 8 + 6 * numbers
--            numbers: holes and seqs
--@include lib/audit
--@include lib/room

local room = existing_room(key)

local function audit_set(what, set, names, most)
    for _, name in ipairs(names) do
        local score, number = redis.call("ZSCORE", set, name), tonumber(name)
        if score then
            local is_right = number and number >= 1 and number <= most and number % 1 == 0 and tonumber(score) == number
            compare(of(what, name), score, is_right and score or "", function()
                redis.call("ZREM", set, name)
            end)
        end
    end
end

if room then
    audit_set("hole", key .. HOLES, holes, room.ordinal)
    audit_set("deleted", key .. DELETED_SEQS, deleted, room.seq)
end
return { compared, differences }
