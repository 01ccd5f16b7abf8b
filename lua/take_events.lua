#!lua flags=allow-oom
-- take_events: hold a shard, let what is new in its stream wait as the newest of each pair, and hand out what is due.
--
-- KEYS[1]    shard
-- ARGV[1]    holder
-- ARGV[2]    lease_ms   the shard is the holder's for so long
-- ARGV[3]    entries    at most so many are taken from the stream
-- ARGV[4]    limit      at most so many are handed out
-- ARGV[5]    hold_ms    for so long what is handed out is not handed out again
--
-- Reply      { held, now_ms, waiting, more, broken, { waiting record, ... } }
--            held: 0 when another holds the shard, then nothing was done; more: 1 when there is more to take or hand out at once;
--            broken: entries that were no events
-- Cost       commands <= 10 + 7 * entries + 2 * limit, turns <= 10 + 10 * entries + limit
--@include lib/events

local shard, holder = KEYS[1], ARGV[1]
local now = now_ms()
local held_by = redis.call("GET", shard .. ":h")
if held_by and held_by ~= holder then
    return { 0, now, 0, 0, 0, {} }
end
redis.call("SET", shard .. ":h", holder, "PX", ARGV[2])

-- Acknowledged as they are read and deleted in the same step: whoever holds the shard next finds nothing half taken.
local function new_entries()
    local reply = redis.pcall("XREADGROUP", "GROUP", "deliverers", "holder", "COUNT", ARGV[3], "NOACK", "STREAMS", shard, ">")
    if reply and reply.err then
        if redis.call("EXISTS", shard) == 0 then
            return {}
        end
        redis.call("XGROUP", "CREATE", shard, "deliverers", "0")
        reply = redis.call("XREADGROUP", "GROUP", "deliverers", "holder", "COUNT", ARGV[3], "NOACK", "STREAMS", shard, ">")
    end
    return reply and reply[1][2] or {}
end

local entries, broken = new_entries(), 0
for _, entry in ipairs(entries) do
    local event = event_in(entry)
    if event then
        local dead = take_dead(shard, pair_of(event))
        let_wait(shard, dead and united(event, dead) or event, now)
    else
        broken = broken + 1
    end
    redis.call("XDEL", shard, entry[1])
end

local handed_out = {}
for _, pair in ipairs(redis.call("ZRANGEBYSCORE", shard .. ":t", "-inf", now, "LIMIT", 0, ARGV[4])) do
    redis.call("ZADD", shard .. ":t", now + ARGV[5], pair)
    handed_out[#handed_out + 1] = redis.call("HGET", shard .. ":q", pair)
end
local more = #entries >= tonumber(ARGV[3]) or redis.call("ZCOUNT", shard .. ":t", "-inf", now) > 0
return { 1, now, redis.call("ZCARD", shard .. ":t"), more and 1 or 0, broken, handed_out }
