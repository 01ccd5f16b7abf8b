#!lua flags=allow-oom
-- migrate_room: one step of migrating a room of an earlier layout to the present one. To be
-- called until nothing is left, by one process or by several at once.
--
-- Key        room
-- Args       most int
--            most: values that are looked at
--
-- Reply      left flag   whether more is to be done
-- Cost       commands <= 30 + 6 * most, turns <= 12 + 6 * most
--@include lib/migrating

local packed = redis.call("HGET", key, HEAD)
if not packed or layout_of(packed) ~= 1 then
    return 0
end
local room, phase = load_first_head(key, packed)
return migrate_room(room, phase, most) and 0 or 1
