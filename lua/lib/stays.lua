-- stays: those who have left, as far as receipts still need them. A stay is one membership from
-- joining to leaving. What they read in it stays read. Its name is "member<separator>seq at which
-- they joined"; the keys are in service/readstate/store/keys.py.
-- Members who joined after the first message are in BY_JOINING too, so that those whom an older
-- message does not concern can be counted.
--@include lib/forgetting
--@include lib/journal
--@include lib/marks
--@include lib/attention

local function stay_of(member, joined)
    return member .. SEPARATOR .. string.format("%.0f", joined)
end

-- Member and where they had joined.
local function read_stay(stay)
    local member, joined = string.match(stay, "^(.*)" .. SEPARATOR .. "(%d+)$")
    return member, tonumber(joined)
end

-- Where a stay that has ended stood at its end, and when that was; nil when it is forgotten.
local function ended_stay(room, member, joined)
    local packed = redis.call("HGET", room.key .. LEAVERS, stay_of(member, joined))
    local ended = unpack_values(packed or "")
    return ended[1], ended[2]
end

-- End the membership whose record is `packed`, and keep what receipts need of it.
local function end_stay(room, name, packed)
    redis.call("HDEL", room.key, name)
    redis.call("ZREM", room.key .. BY_CURSOR, name)
    redis.call("SREM", room.key .. ATTENTIVE, name)
    redis.call("ZREM", room.key .. BY_JOINING, name)
    local member = read_member(name, packed)
    if member.marked == 1 then
        clear_mark(room, name)
    end
    if member.moves > 0 then
        local stay = stay_of(name, member.joined)
        redis.call("ZADD", room.key .. STAYS_BY_CURSOR, member.cursor, stay)
        redis.call("ZADD", room.key .. STAYS_BY_JOINING, member.joined, stay)
        local ended = cmsgpack.pack(member.cursor, room_clock(room))
        redis.call("HSET", room.key .. LEAVERS, stay, ended, name, packed)
    end
end

-- Begin a membership at the head; true unless they are a member already. `returning`: the room
-- remembers members who have left.
local function begin_stay(room, name, returning, settings)
    local before = returning and redis.call("HGET", room.key .. LEAVERS, name)
    local attentive_until = room.ordinal + parse_settings(settings).posts
    local record = pack_record(room.seq, room.ordinal, attentive_until, 0, room.seq, room_clock(room), 0, 0, "")
    if redis.call("HSETNX", room.key, name, record) == 0 then
        return false
    end
    if room.large then
        redis.call("ZADD", room.key .. BY_CURSOR, room.seq, name)
        if not admit(room, name, settings) then
            attentive_until = 0
            save_attentive_until(room, name, record, attentive_until)
        end
    end
    if room.seq > 0 then
        redis.call("ZADD", room.key .. BY_JOINING, room.seq, name)
    end
    if before then
        -- The journal goes on, so that the earlier stays can still be read from it.
        local member = read_member(name, before)
        move_cursor(room, member, room.seq, settings)
        member.ordinal, member.attentive_until, member.read = room.ordinal, attentive_until, 0
        member.joined, member.marked = room.seq, 0
        save_member(room, member)
        redis.call("HDEL", room.key .. LEAVERS, name)
    end
    return true
end

local STAYS_AT_ONCE = 200
local CHUNKS_AT_ONCE = 4000 -- of journals

-- Forget one stay, and the journal of its member unless a later stay needs it. Returns how many
-- chunks that were.
local function forget_stay(room, stay)
    local name, joined = read_stay(stay)
    redis.call("ZREM", room.key .. STAYS_BY_CURSOR, stay)
    redis.call("ZREM", room.key .. STAYS_BY_JOINING, stay)
    redis.call("HDEL", room.key .. LEAVERS, stay)
    local member = read_member(name, redis.call("HGET", room.key .. LEAVERS, name))
    if member and member.joined == joined then
        redis.call("HDEL", room.key .. LEAVERS, name)
        return forget_journal(room, member)
    end
    return 0
end

-- Forget the stays that ended before seq `oldest`, from which on messages are remembered; some at
-- a time.
local function forget_stays(room, oldest)
    local before = string.format("(%.0f", oldest)
    forget_up_to(room.key .. BY_JOINING, before)
    local chunks = 0
    local stays = redis.call("ZRANGEBYSCORE", room.key .. STAYS_BY_CURSOR, "-inf", before, "LIMIT", 0, STAYS_AT_ONCE)
    for _, stay in ipairs(stays) do
        chunks = chunks + forget_stay(room, stay)
        if chunks > CHUNKS_AT_ONCE then
            break
        end
    end
end
