#!lua flags=allow-oom
-- settle_events: write down what became of events that were handed out.
--
-- KEYS[1]    shard
-- ARGV[1..]  outcomes, six parts each: pair, revision, seq, verdict, sent, detail
--            verdict  delivered, later or dead; sent: forms that the receiver has accepted
--            detail   later: ms until the next attempt; dead: why, in a few words
--
-- Reply      how many of them are settled for good (delivered or dead)
-- Cost       commands <= 2 + 5 * outcomes, turns <= outcomes
--@include lib/events

local shard = KEYS[1]
local now, settled = now_ms(), 0

local function deliver(pair, waiting, same, revision, seq)
    redis.call("ZADD", shard .. ":d", "GT", revision, pair)
    if same then
        drop_waiting(shard, pair)
    elseif waiting and waiting[1][SEQ] > seq then
        -- What came meanwhile need not cover again what has just been told.
        waiting[1][BEFORE] = math.max(waiting[1][BEFORE], seq)
        waiting[2], waiting[3] = 0, 0
        save_waiting(shard, pair, waiting)
    end
    if waiting and not same then
        redis.call("ZADD", shard .. ":t", "XX", now, pair)
    end
end

local function postpone(pair, waiting, same, sent, wait_ms)
    waiting[2] = waiting[2] + 1
    if same then
        waiting[3] = waiting[3] > 0 and waiting[3] or now
        waiting[4] = sent
    end
    save_waiting(shard, pair, waiting)
    redis.call("ZADD", shard .. ":t", "XX", now + wait_ms, pair)
end

for i = 1, #ARGV, 6 do
    local pair, revision, verdict, detail = ARGV[i], ARGV[i + 1], ARGV[i + 3], ARGV[i + 5]
    local waiting = load_waiting(shard, pair)
    local same = waiting and waiting[1][REVISION] == tonumber(revision)
    if verdict == "delivered" then
        deliver(pair, waiting, same, revision, tonumber(ARGV[i + 2]))
        settled = settled + 1
    elseif verdict == "later" and waiting then
        postpone(pair, waiting, same, tonumber(ARGV[i + 4]), tonumber(detail))
    elseif verdict == "dead" and same then
        redis.call("HSET", shard .. ":x", pair, cmsgpack.pack({ waiting[1], waiting[2] + 1, now, detail }))
        drop_waiting(shard, pair)
        settled = settled + 1
    end
end
redis.call("ZREMRANGEBYRANK", shard .. ":d", 0, -1 - DELIVERED_KEPT)
return settled
