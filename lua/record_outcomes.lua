#!lua flags=allow-oom
-- record_outcomes: write down what became of events that were handed out.
--
-- Key        shard
-- Args       ...outcomes (membership, revision, seq, verdict, sent, detail)
--            verdict: delivered, later or dead; sent: how many forms the receiver has accepted
--            detail: later: ms until the next attempt; dead: why, in a few words
--
-- Reply      finished int   how many of them are delivered or dead
-- Cost       commands <= 2 + 5 * outcomes, turns <= outcomes
--@include lib/events

local now, finished = now_ms(), 0

local function deliver(membership, waiting, same, revision, seq)
    redis.call("ZADD", key .. DELIVERED_REVISIONS, "GT", revision, membership)
    if same then
        drop_waiting(key, membership)
    elseif waiting and waiting.event[SEQ] > seq then
        -- The newer event need not cover again what has just been delivered.
        waiting.event[BEFORE] = math.max(waiting.event[BEFORE], seq)
        waiting.attempts, waiting.failing_since = 0, 0
        save_waiting(key, membership, waiting)
    end
    if waiting and not same then
        redis.call("ZADD", key .. DUE, "XX", now, membership)
    end
end

local function postpone(membership, waiting, same, sent, wait_ms)
    waiting.attempts = waiting.attempts + 1
    if same then
        waiting.failing_since = waiting.failing_since > 0 and waiting.failing_since or now
        waiting.sent = sent
    end
    save_waiting(key, membership, waiting)
    redis.call("ZADD", key .. DUE, "XX", now + wait_ms, membership)
end

for i = 1, #outcomes, 6 do
    local membership, revision, seq, verdict, sent, detail = unpack(outcomes, i, i + 5)
    local waiting = load_waiting(key, membership)
    local same = waiting and waiting.event[REVISION] == tonumber(revision)
    if verdict == "delivered" then
        deliver(membership, waiting, same, revision, tonumber(seq))
        finished = finished + 1
    elseif verdict == "later" and waiting then
        postpone(membership, waiting, same, tonumber(sent), tonumber(detail))
    elseif verdict == "dead" and same then
        local letter = cmsgpack.pack({ waiting.event, waiting.attempts + 1, now, detail })
        redis.call("HSET", key .. DEAD_LETTERS, membership, letter)
        drop_waiting(key, membership)
        finished = finished + 1
    end
end
redis.call("ZREMRANGEBYRANK", key .. DELIVERED_REVISIONS, 0, -1 - DELIVERED_KEPT)
return finished
