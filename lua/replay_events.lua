#!lua
-- replay_events: let dead letters wait for delivery again, from the beginning.
--
-- KEYS[1]    shard
-- ARGV[1..]  pairs
--
-- Reply      how many do
-- Cost       commands <= 6 * pairs, turns <= pairs
--@include lib/events

local replayed = 0
for _, pair in ipairs(ARGV) do
    local event = take_dead(KEYS[1], pair)
    if event and let_wait(KEYS[1], event, now_ms()) then
        replayed = replayed + 1
    end
end
return replayed
