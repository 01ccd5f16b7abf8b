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
local function hash_of(form, id)
    if form == AS_DIGITS then
        local high, low = struct.unpack(DIGITS_LAYOUT, id)
        return (low + high % HASHES * 257) % HASHES
    end
    if form == AS_UUID then
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

-- The place of a message in the index: its packed id and form, the bytes of its hash, and its
-- bucket with the field of it. `seq`: where it is to stand if it is new; then also the chunk and
-- the senders there, false for none.
local function slot_of(room, message, seq)
    local form, id = pack_id(message)
    local hash = hash_of(form, id)
    local field = BUCKET_OF .. bucket_of(hash, room.buckets)
    local slot = { form = form, id = id, hash = struct.pack(">I3", hash), field = field }
    if seq then
        local have = redis.call("HMGET", room.key .. MESSAGE_LOG, field, chunk_of(seq), senders_of(seq))
        slot.bucket, slot.chunk, slot.senders = have[1] or "", have[2], have[3]
    else
        slot.bucket = redis.call("HGET", room.key .. MESSAGE_LOG, field) or ""
    end
    return slot
end

-- seq, ordinal and kind of the message of this slot, and its chunk of the log (for read_entry); nil
-- when it is unknown.
local function find_message(room, slot)
    local at = string.find(slot.bucket, slot.hash, 1, true)
    while at do
        if at % INDEXED_BYTES == 1 and at + INDEXED_BYTES <= #slot.bucket + 1 then
            local seq = indexed_seq(room, slot.bucket, at)
            local chunk = load_log_chunk(room, chunk_of(seq))
            local ordinal, kind
            if chunk then
                ordinal, kind = unless_damaged(pcall(match_entry, chunk, seq, slot.form, slot.id))
            end
            if ordinal then
                return seq, ordinal, kind, chunk
            end
        end
        at = string.find(slot.bucket, slot.hash, at + 1, true)
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

-- Save the chunk in which the message of this slot stands at `seq`, behind all others, with its
-- place in the index, and its chunk of senders when that has changed.
local function save_message(room, slot, seq, chunk, senders)
    local bucket = without_forgotten(room, slot.bucket) .. slot.hash .. struct.pack(">I4", seq % SEQS_APART)
    if senders then
        redis.call("HSET", room.key .. MESSAGE_LOG, chunk_of(seq), chunk, slot.field, bucket, senders_of(seq), senders)
    else
        redis.call("HSET", room.key .. MESSAGE_LOG, chunk_of(seq), chunk, slot.field, bucket)
    end
    if seq - room.oldest + 1 > BUCKET_LOAD * room.buckets then
        split_bucket(room)
    end
end
