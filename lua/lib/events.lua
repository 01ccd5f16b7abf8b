-- events: what waits in one shard to be delivered by webhook. See service/readstate/store/keys.py
-- for the keys.
--
-- An event is the array of service/readstate/domain/events.py. In the stream it is an entry with
-- one field, named by the app: the notice of the read, which is made anyway, and behind it what
-- else the event says. Of each membership (a member in a room) one record waits.
--@include lib/keys
--@include lib/clock

local EVENT_FIELDS = 9
local SEQ = 5
local BEFORE = 6
local REVISION = 9
local DELIVERED_KEPT = 20000 -- memberships whose last delivery is remembered

local function membership_of(event)
    return event[1] .. SEPARATOR .. event[2] .. SEPARATOR .. event[3]
end

local ENTRY_LAYOUT = ">I5I5I7" -- seq before, unread, revision
local ENTRY_BYTES = 17

local function pack_entry(notice, before, unread, revision)
    return notice .. struct.pack(ENTRY_LAYOUT, before, unread, revision)
end

-- The event in a stream entry, or nil for what is none.
local function event_in(entry)
    local app, packed = unpack(entry[2] or {})
    local read, behind, notice = pcall(cmsgpack.unpack_limit, packed or "", 1)
    if not read or type(notice) ~= "table" or #notice ~= 5 or behind < 0 or behind ~= #packed - ENTRY_BYTES then
        return nil
    end
    local kind, room, member, message, seq = unpack(notice)
    local before, unread, revision = struct.unpack(ENTRY_LAYOUT, packed, behind + 1)
    local event = { app, room, member, message, seq, before, math.floor(revision / 1000), unread, revision }
    for i = 1, EVENT_FIELDS do
        if kind ~= "read" or type(event[i]) ~= (i < SEQ and "string" or "number") then
            return nil
        end
    end
    return event
end

-- Two events of one membership as one: the newer, which then covers what either covered.
local function merged(one, other)
    local newer = one[REVISION] >= other[REVISION] and one or other
    newer[BEFORE] = math.min(one[BEFORE], other[BEFORE])
    return newer
end

-- What waits of a membership, or nil:
--   event
--   attempts       that have failed
--   failing_since  ms; 0: it has not failed yet
--   sent           how many of its forms the receiver has accepted
local function load_waiting(shard, membership)
    local packed = redis.call("HGET", shard .. WAITING, membership)
    if packed then
        local event, attempts, failing_since, sent = unpack(cmsgpack.unpack(packed))
        return { event = event, attempts = attempts, failing_since = failing_since, sent = sent }
    end
end

local function save_waiting(shard, membership, waiting)
    local fields = { waiting.event, waiting.attempts, waiting.failing_since, waiting.sent }
    redis.call("HSET", shard .. WAITING, membership, cmsgpack.pack(fields))
end

local function drop_waiting(shard, membership)
    redis.call("HDEL", shard .. WAITING, membership)
    redis.call("ZREM", shard .. DUE, membership)
end

-- Remove the dead letter of a membership and return its event; nil without one.
local function remove_dead_letter(shard, membership)
    local packed = redis.call("HGET", shard .. DEAD_LETTERS, membership)
    if packed then
        redis.call("HDEL", shard .. DEAD_LETTERS, membership)
        return cmsgpack.unpack(packed)[1]
    end
end

-- Let an event wait, as one with what waits of its membership already. False: something newer of
-- the membership has been delivered.
local function enqueue(shard, event, now)
    local membership = membership_of(event)
    local delivered = redis.call("ZSCORE", shard .. DELIVERED_REVISIONS, membership)
    if delivered and event[REVISION] <= tonumber(delivered) then
        return false
    end
    local waiting = load_waiting(shard, membership)
    if not waiting then
        save_waiting(shard, membership, { event = event, attempts = 0, failing_since = 0, sent = 0 })
        redis.call("ZADD", shard .. DUE, now, membership)
        return true
    end
    -- A receiver that was failing is not asked sooner because there is more to deliver, but what is
    -- newer has its full time.
    if event[REVISION] > waiting.event[REVISION] then
        waiting.failing_since, waiting.sent = 0, 0
    end
    waiting.event = merged(event, waiting.event)
    save_waiting(shard, membership, waiting)
    return true
end
