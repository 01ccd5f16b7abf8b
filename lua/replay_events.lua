#!lua
-- replay_events: let dead letters wait for delivery again, from the beginning.
--
-- Key        shard
-- Args       ...memberships
--
-- Reply      replayed int
-- Cost       commands <= 6 * memberships, turns <= memberships
--@include lib/events

local replayed = 0
for _, membership in ipairs(memberships) do
    local event = remove_dead_letter(key, membership)
    if event and enqueue(key, event, now_ms()) then
        replayed = replayed + 1
    end
end
return replayed
