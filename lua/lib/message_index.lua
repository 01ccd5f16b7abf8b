-- message_index: where a room's messages stand in the log, by their ids. A bucket is one string,
-- the field of MESSAGE_PLACES named by its number: entries of 9 bytes, 4 of a hash of the id and
-- the seq in 5, in order of their seqs. A hash is a hint; the log decides.
-- There are room.buckets of them, numbered from 0. When messages become more than BUCKET_LOAD for
-- each bucket, one bucket is split in two (linear hashing), so no post pays for many.
-- Forgotten messages stand first in their buckets, and go when their bucket is next written.
--@include lib/keys

local BUCKET_LOAD = 32 -- messages
local INDEXED_BYTES = 9

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

-- The place of a message in the index: { hash: its 4 bytes, number: of the bucket, bucket }.
local function slot_of(room, message)
    local hash = tonumber(string.sub(redis.sha1hex(message), 1, 8), 16)
    local number = bucket_of(hash, room.buckets)
    return {
        hash = struct.pack(">I4", hash),
        number = number,
        bucket = redis.call("HGET", room.key .. MESSAGE_PLACES, number) or "",
    }
end

-- The next seq behind position `at` of the bucket that has this hash, and its position; nil when
-- there is none.
local function next_indexed(slot, at)
    repeat
        at = string.find(slot.bucket, slot.hash, at + 1, true)
    until not at or at % INDEXED_BYTES == 1
    if at then
        return struct.unpack(">I5", slot.bucket, at + 4), at
    end
end

-- The bucket without the messages that are forgotten.
local function without_forgotten(room, bucket)
    local from = 1
    while from < #bucket and struct.unpack(">I5", bucket, from + 4) < room.oldest do
        from = from + INDEXED_BYTES
    end
    return from > 1 and string.sub(bucket, from) or bucket
end

-- Split the next bucket.
local function split_bucket(room)
    local round = round_of(room.buckets)
    local from, to = room.buckets - round, room.buckets
    local bucket = without_forgotten(room, redis.call("HGET", room.key .. MESSAGE_PLACES, from) or "")
    local stay, go = {}, {}
    for at = 1, #bucket, INDEXED_BYTES do
        local part = struct.unpack(">I4", bucket, at) % (2 * round) == to and go or stay
        part[#part + 1] = string.sub(bucket, at, at + INDEXED_BYTES - 1)
    end
    redis.call("HSET", room.key .. MESSAGE_PLACES, from, table.concat(stay), to, table.concat(go))
    room.buckets = room.buckets + 1
end

-- Write down that the message of this slot stands at `seq`, the newest one.
local function index_message(room, slot, seq)
    local bucket = without_forgotten(room, slot.bucket) .. slot.hash .. struct.pack(">I5", seq)
    redis.call("HSET", room.key .. MESSAGE_PLACES, slot.number, bucket)
    if seq - room.oldest + 1 > BUCKET_LOAD * room.buckets then
        split_bucket(room)
    end
end
