-- message_index: where a room's messages stand in the log, by their ids. A bucket is one string,
-- the field "i" and its number of MESSAGE_LOG: entries of 7 bytes, 3 of a hash of the id and the
-- low 4 of the seq, in order of their seqs. Both are hints; the log decides.
-- Index and log are one hash, so that a post finds and leaves both with one command each.
-- There are room.buckets buckets, numbered from 0. When messages become more than BUCKET_LOAD for
-- each, one bucket is split in two (linear hashing), so no post pays for all.
-- Forgotten messages stand first in their buckets, and go when their bucket is next written.
--@include lib/keys
--@include lib/message_log

local BUCKET_LOAD = 32 -- messages
local INDEXED_BYTES = 7
local SEQS_APART = 4294967296 -- no two messages that are remembered are so far apart

local HASHES = 16777213 -- a prime number below 2^24

-- A hash of a packed id. No string is made for those that are numbers.
local function hash_of(packing, id)
    if packing == AS_DIGITS then
        local high, low = struct.unpack(DIGITS_LAYOUT, id)
        return (low + high % HASHES * 257) % HASHES
    end
    if packing == AS_UUID then
        local a, b, c, d, e = struct.unpack(UUID_LAYOUT, id)
        return (e + a * 257 + b * 263 + c * 269 + d * 65539) % HASHES
    end
    return tonumber(string.sub(redis.sha1hex(id), 1, 6), 16) % HASHES
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

-- Where the index has a message: its packed id and packing, the bytes of its hash, and its
-- bucket with the field of it. `seq`: where it is to stand if it is new; then also the chunk and
-- the senders there, false for none.
local function locator_of(room, message, seq)
    local packing, id = pack_id(message)
    local hash = hash_of(packing, id)
    local field = BUCKET_OF .. bucket_of(hash, room.buckets)
    local locator = { packing = packing, id = id, hash = struct.pack(">I3", hash), field = field }
    if seq then
        local have = redis.call("HMGET", room.key .. MESSAGE_LOG, field, chunk_of(seq), senders_of(seq))
        locator.bucket, locator.chunk, locator.senders = have[1] or "", have[2], have[3]
    else
        locator.bucket = redis.call("HGET", room.key .. MESSAGE_LOG, field) or ""
    end
    return locator
end

-- seq, ordinal and kind of a message, and its chunk of the log (for read_entry); nil when it is
-- unknown.
local function find_message(room, locator)
    local at = string.find(locator.bucket, locator.hash, 1, true)
    while at do
        if at % INDEXED_BYTES == 1 and at + INDEXED_BYTES <= #locator.bucket + 1 then
            local seq = indexed_seq(room, locator.bucket, at)
            local chunk = load_log_chunk(room, chunk_of(seq))
            local ordinal, kind
            if chunk then
                ordinal, kind = unless_damaged(pcall(match_entry, chunk, seq, locator.packing, locator.id))
            end
            if ordinal then
                return seq, ordinal, kind, chunk
            end
        end
        at = string.find(locator.bucket, locator.hash, at + 1, true)
    end
end

-- Split the next bucket.
local function split_bucket(room)
    local round = round_of(room.buckets)
    local to = room.buckets
    local from = BUCKET_OF .. to - round
    local bucket = without_forgotten(room, redis.call("HGET", room.key .. MESSAGE_LOG, from) or "")
    local stay, go = {}, {}
    for at = 1, #bucket, INDEXED_BYTES do
        local part = struct.unpack(">I3", bucket, at) % (2 * round) == to and go or stay
        part[#part + 1] = string.sub(bucket, at, at + INDEXED_BYTES - 1)
    end
    redis.call("HSET", room.key .. MESSAGE_LOG, from, table.concat(stay), BUCKET_OF .. to, table.concat(go))
    room.buckets = to + 1
end

-- Save the chunk in which the message stands at `seq`, behind all others, with its
-- place in the index, and its chunk of senders when that has changed.
local function save_message(room, locator, seq, chunk, senders)
    local log, field = room.key .. MESSAGE_LOG, locator.field
    local bucket = without_forgotten(room, locator.bucket) .. locator.hash .. struct.pack(">I4", seq % SEQS_APART)
    if senders then
        redis.call("HSET", log, chunk_of(seq), chunk, field, bucket, senders_of(seq), senders)
    else
        redis.call("HSET", log, chunk_of(seq), chunk, field, bucket)
    end
    if seq - room.oldest + 1 > BUCKET_LOAD * room.buckets then
        split_bucket(room)
    end
end
