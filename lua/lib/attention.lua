-- attention: who is told of what happens in a room. A member is attentive until a number of
-- countable posts has come since they last paid attention: read, posted, joined or asked. Their
-- record has the ordinal before which they are told. The others have the room on their list of
-- rooms with news, or as a derived one, and are told nothing until they ask.
-- Of a large room, ATTENTIVE has every attentive member, and perhaps some who no longer are: a post
-- takes them out. So no read has to write there, unless it begins a time of attention.
--@include lib/members
--@include lib/limit
--@include lib/batches

-- A room beyond the limit tells no member. One more than may be told is let in: the next post then
-- sees that the room is beyond it.
local function admit(room, member, settings)
    local attentive = room.key .. ATTENTIVE
    if not room.derived and is_beyond(room, redis.call("SCARD", attentive), settings, 1) then
        return false
    end
    redis.call("SADD", attentive, member)
    return true
end

local LONGER = 4 -- times

-- A member who was told before ordinal `attentive_until` pays attention. Returns the ordinal before
-- which they are told now: the same when too many are told already. Members who come back
-- before another post than the one that ended their attention are told for longer: a visit for
-- every few posts would cost more.
local function attend(room, member, attentive_until, settings)
    local ordinal, posts = room.ordinal, parse_settings(settings).posts
    if ordinal < attentive_until then
        return math.max(ordinal + posts, math.min(attentive_until, ordinal + LONGER * posts))
    elseif room.large and not admit(room, member, settings) then
        return attentive_until
    end
    return ordinal + (ordinal == attentive_until and LONGER * posts or posts)
end

-- The head and the records of those who may be attentive: { field, value, ... }; and of a large
-- room the size of ATTENTIVE. When most members are in it, walking all is cheaper.
local function candidates(room)
    local size = room.large and redis.call("SCARD", room.key .. ATTENTIVE)
    if not size or size * 2 > room.member_count then
        return redis.call("HGETALL", room.key), size
    end
    local names, flat = redis.call("SMEMBERS", room.key .. ATTENTIVE), {}
    for first = 1, #names, 1000 do
        local last = math.min(first + 999, #names)
        for i, record in ipairs(redis.call("HMGET", room.key, unpack(names, first, last))) do
            flat[#flat + 1], flat[#flat + 2] = names[first + i - 1], record
        end
    end
    return flat, size
end

-- How many members are told of what happens at the head.
local function count_attentive(room)
    local flat, count = candidates(room), 0
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD and flat[i + 1] then
            local _, _, attentive_until = read_counts(flat[i + 1])
            count = count + (room.ordinal < attentive_until and 1 or 0)
        end
    end
    return count
end

local SAMPLED = 64 -- members
local SAMPLES = 16

-- In a derived room no post walks over ATTENTIVE, and reads go on adding to it. Take out some of
-- those who are no longer attentive: the more of them there are, the more.
local function trim_attentive(room)
    local attentive = room.key .. ATTENTIVE
    for _ = 1, SAMPLES do
        local names, gone = redis.call("SRANDMEMBER", attentive, SAMPLED), {}
        if #names == 0 then
            return
        end
        for i, record in ipairs(redis.call("HMGET", room.key, unpack(names))) do
            local attentive_until = 0
            if record then
                local _
                _, _, attentive_until = read_counts(record)
            end
            if attentive_until <= room.ordinal then
                gone[#gone + 1] = names[i]
            end
        end
        if #gone > 0 then
            redis.call("SREM", attentive, unpack(gone))
        end
        if #gone <= #names / 2 then
            return
        end
    end
end

-- Note all attentive members of a room that has become large.
local function index_attentive(room)
    local flat, names = redis.call("HGETALL", room.key), {}
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD then
            local _, _, attentive_until = read_counts(flat[i + 1])
            if room.ordinal < attentive_until then
                names[#names + 1] = flat[i]
            end
        end
    end
    call_in_batches("SADD", room.key .. ATTENTIVE, names)
end
