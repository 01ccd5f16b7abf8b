-- stays: those who have left, as far as receipts still need them. A stay is one membership from joining to leaving; what somebody read
-- in it stays read. Its key is "member<separator>seq at which they joined":
--   :y   zset   stay by the cursor at its end          :e   zset   stay by the seq at its beginning
--   :x   hash   stay -> (cursor, when it ended); member -> their record, while they are away
-- Members who joined after the first message are in :b by where they joined, so that those whom an older message does not concern can be counted.
--@include lib/forgetting
--@include lib/room
--@include lib/journal

local function stay_of(member, joined)
    return member .. SEPARATOR .. string.format("%.0f", joined)
end

-- End the membership whose record is `packed`, and keep what receipts need of it.
local function end_stay(room, member, packed)
    redis.call("HDEL", room.key, member)
    redis.call("ZREM", room.key .. ":c", member)
    redis.call("ZREM", room.key .. ":b", member)
    local cursor, _, _, joined, _, moves, marked = read_record(packed)
    if marked == 1 then
        redis.call("HDEL", room.key .. ":u", member)
    end
    if moves > 0 then
        local stay = stay_of(member, joined)
        redis.call("ZADD", room.key .. ":y", cursor, stay)
        redis.call("ZADD", room.key .. ":e", joined, stay)
        redis.call("HSET", room.key .. ":x", stay, cmsgpack.pack(cursor, room_clock(room)), member, packed)
    end
end

-- Begin a membership at the head; true unless they are a member already. `returning`: somebody is remembered as having left.
local function begin_stay(room, member, returning, keep)
    local before = returning and redis.call("HGET", room.key .. ":x", member)
    local record = pack_record(room.seq, room.ord, 0, room.seq, room_clock(room), 0, 0, "")
    if redis.call("HSETNX", room.key, member, record) == 0 then
        return false
    end
    if room.derived then
        redis.call("ZADD", room.key .. ":c", room.seq, member)
    end
    if room.seq > 0 then
        redis.call("ZADD", room.key .. ":b", room.seq, member)
    end
    if before then
        -- The journal goes on, so that the earlier stays can still be read from it.
        local cursor, _, _, _, at, moves, _, tail = read_record(before)
        at, moves, tail = note_move(room, member, cursor, room.seq, at, moves, tail, keep)
        save_member(room, member, room.seq, room.ord, 0, room.seq, at, moves, 0, tail)
        redis.call("HDEL", room.key .. ":x", member)
    end
    return true
end

local STAYS_AT_ONCE = 200
local CHUNKS_AT_ONCE = 4000 -- of journals

-- Forget the stays that ended before seq `oldest`, from which on messages are remembered; some at a time.
local function forget_stays(room, oldest)
    local before = string.format("(%.0f", oldest)
    forget_up_to(room.key .. ":b", before)
    local chunks = 0
    for _, stay in ipairs(redis.call("ZRANGEBYSCORE", room.key .. ":y", "-inf", before, "LIMIT", 0, STAYS_AT_ONCE)) do
        local member, joined = string.match(stay, "^(.*)" .. SEPARATOR .. "(%d+)$")
        redis.call("ZREM", room.key .. ":y", stay)
        redis.call("ZREM", room.key .. ":e", stay)
        redis.call("HDEL", room.key .. ":x", stay)
        local packed = redis.call("HGET", room.key .. ":x", member)
        if packed then
            local _, _, _, latest, _, moves = read_record(packed)
            if latest == tonumber(joined) then
                redis.call("HDEL", room.key .. ":x", member)
                chunks = chunks + forget_journal(room, member, moves)
            end
        end
        if chunks > CHUNKS_AT_ONCE then
            break
        end
    end
end
