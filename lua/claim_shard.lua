#!lua flags=allow-oom
-- claim_shard: hold a shard, let what is new in its stream wait as the newest of each membership,
-- and hand out what is due.
--
-- Key        shard
-- Args       holder, lease_ms digits, entries int, limit digits, hold_ms int
--            lease_ms: the shard is the holder's for so long
--            entries, limit: at most so many are taken from the stream, and handed out
--            hold_ms: for so long what is handed out is not handed out again
--
-- Reply      { held flag, now_ms int, waiting int, more flag, broken int, due [bytes] }
--            held: false when another holds the shard, then nothing was done; more: there is more
--            to take or hand out at once; broken: entries that were no events; due: waiting records
-- Cost       commands <= 10 + 7 * entries + 2 * limit, turns <= 10 + 10 * entries + limit
--@include lib/events

local now = now_ms()
local held_by = redis.call("GET", key .. HOLDER)
if held_by and held_by ~= holder then
    return { 0, now, 0, 0, 0, {} }
end
redis.call("SET", key .. HOLDER, holder, "PX", lease_ms)

-- Acknowledged as they are read and deleted in the same step: the next holder of the shard finds
-- nothing half taken.
local function new_entries()
    local function read()
        return redis.pcall(
            "XREADGROUP", "GROUP", "deliverers", "holder", "COUNT", entries, "NOACK", "STREAMS", key, ">"
        )
    end

    local reply = read()
    if reply and reply.err then
        if redis.call("EXISTS", key) == 0 then
            return {}
        end
        redis.call("XGROUP", "CREATE", key, "deliverers", "0")
        reply = read()
    end
    return reply and reply[1][2] or {}
end

local read, broken = new_entries(), 0
for _, entry in ipairs(read) do
    local event = event_in(entry)
    if event then
        local dead = remove_dead_letter(key, membership_of(event))
        enqueue(key, dead and merged(event, dead) or event, now)
    else
        broken = broken + 1
    end
    redis.call("XDEL", key, entry[1])
end

local due = {}
for _, membership in ipairs(redis.call("ZRANGEBYSCORE", key .. DUE, "-inf", now, "LIMIT", 0, limit)) do
    redis.call("ZADD", key .. DUE, now + hold_ms, membership)
    due[#due + 1] = redis.call("HGET", key .. WAITING, membership)
end
local more = #read >= entries or redis.call("ZCOUNT", key .. DUE, "-inf", now) > 0
return { 1, now, redis.call("ZCARD", key .. DUE), more and 1 or 0, broken, due }
