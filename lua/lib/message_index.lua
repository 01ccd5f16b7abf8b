-- message_index: where a room's messages stand in the log, by their ids. A bucket is one string,
-- the field of MESSAGE_PLACES named by its number: entries of 7 bytes, 3 of a hash of the packed id
-- and the low 4 of the seq, in order of their seqs. Both are hints; the log decides.
-- The messages of the newest chunk of the log are not in the index: a chunk is indexed as a whole
-- when the next one begins, with few commands.
-- There are room.buckets buckets, numbered from 0. When messages become more than BUCKET_LOAD for
-- each, one bucket is split in two (linear hashing), so no post pays for all.
-- Forgotten messages stand first in their buckets, and go when their bucket is next written.
--@include lib/keys
--@include lib/message_log

local BUCKET_LOAD = 48 -- messages
local INDEXED_BYTES = 7
local SEQS_APART = 4294967296 -- no two messages that are remembered are so far apart

local function hash_of(packed)
    return tonumber(string.sub(redis.sha1hex(packed), 1, 6), 16)
end

-- The largest power of two that is at most `buckets`.
local function round_of(buckets)
    local _, exponent = math.frexp(buckets)
    return 2 ^ (exponent - 1)
end

-- The bucket of a hash: it was halved in this round already, or will be.
local function bucket_of(hash, buckets)
    local round = round_of(buckets)
    local number = hash % (2 * round)
    return number < buckets and number or hash % round
end

-- The seq whose low bytes stand at position `at` of a bucket.
local function indexed_seq(room, bucket, at)
    return room.seq - (room.seq - struct.unpack(">I4", bucket, at + 3)) % SEQS_APART
end

-- The bucket without the messages that are forgotten.
local function without_forgotten(room, bucket)
    local from = 1
    while from < #bucket and indexed_seq(room, bucket, from) < room.oldest do
        from = from + INDEXED_BYTES
    end
    return from > 1 and string.sub(bucket, from) or bucket
end

-- seq, ordinal and kind of the message with this id, which is packed in this form, and its chunk;
-- nil when it is not in the index.
local function find_indexed(room, form, id)
    local hash = hash_of(id)
    local bucket = redis.call("HGET", room.key .. MESSAGE_PLACES, bucket_of(hash, room.buckets))
    hash = bucket and struct.pack(">I3", hash)
    local at = bucket and string.find(bucket, hash, 1, true)
    while at do
        if at % INDEXED_BYTES == 1 then
            local seq = indexed_seq(room, bucket, at)
            local chunk = load_log_chunk(room, chunk_of(seq))
            local ordinal, kind
            if chunk then
                ordinal, kind = match_entry(chunk, seq, form, id)
            end
            if ordinal then
                return seq, ordinal, kind, chunk
            end
        end
        at = string.find(bucket, hash, at + 1, true)
    end
end

-- Split the next bucket.
local function split_bucket(room)
    local round = round_of(room.buckets)
    local from, to = room.buckets - round, room.buckets
    local bucket = without_forgotten(room, redis.call("HGET", room.key .. MESSAGE_PLACES, from) or "")
    local stay, go = {}, {}
    for at = 1, #bucket, INDEXED_BYTES do
        local part = struct.unpack(">I3", bucket, at) % (2 * round) == to and go or stay
        part[#part + 1] = string.sub(bucket, at, at + INDEXED_BYTES - 1)
    end
    redis.call("HSET", room.key .. MESSAGE_PLACES, from, table.concat(stay), to, table.concat(go))
    room.buckets = room.buckets + 1
end

-- Put the messages of a chunk of the log into the index.
local function index_chunk(room, number, chunk)
    local numbers, added = {}, {}
    local entries = entries_of(chunk, number)
    for i = 1, #entries, 2 do
        local _, id = packed_at(chunk, entries[i])
        local hash = hash_of(id)
        local bucket, entry = bucket_of(hash, room.buckets), struct.pack(">I3I4", hash, entries[i] % SEQS_APART)
        if not added[bucket] then
            numbers[#numbers + 1] = bucket
        end
        added[bucket] = (added[bucket] or "") .. entry
    end
    local fields = {}
    for i, bucket in ipairs(redis.call("HMGET", room.key .. MESSAGE_PLACES, unpack(numbers))) do
        fields[2 * i - 1] = numbers[i]
        fields[2 * i] = without_forgotten(room, bucket or "") .. added[numbers[i]]
    end
    redis.call("HSET", room.key .. MESSAGE_PLACES, unpack(fields))
    while room.seq - room.oldest + 1 > BUCKET_LOAD * room.buckets do
        split_bucket(room)
    end
end
