-- audit_heads: what a room's head must be, by what else there is of the room.
--@include lib/audit
--@include lib/room
--@include lib/history
--@include lib/tags

local NEWER_AT_ONCE = 1000 -- messages

-- The head, nil when it is damaged, and its bytes, nil when there are none. One of another layout
-- is refused as anywhere else.
local function readable_head(key)
    local packed = redis.call("HGET", key, HEAD)
    if packed and string.byte(packed) ~= HEAD_BEGINS and packed ~= "" then
        refuse_layout(key, packed)
    end
    local room = packed and unless_damaged(pcall(read_head, key, packed))
    return room, packed
end

-- Forget a room without which nothing of it can be read.
local function forget_room(key)
    for _, suffix in ipairs(ROOM_CONTENTS) do
        redis.call("UNLINK", key .. suffix)
    end
    redis.call("UNLINK", key)
end

local function change_head(room, field, value)
    return function()
        room[field] = value
        save_head(room)
    end
end

-- No revision lies in the future, or else none after it would have a place.
local function audit_clock(room)
    local now, latest = clock_us()
    if room.revision > latest then
        compare("revision", room.revision, now, change_head(room, "revision", now))
    end
    compare_range(
        "created", room.created_revision, 0, room.revision, change_head(room, "created_revision", room.revision)
    )
end

-- Seq, ordinal and id of the newest message, as the log has it; nil when it has no newest.
local function newest_in_log(room)
    local seq = room.seq
    while seq - room.seq < NEWER_AT_ONCE and message_id_at(room, seq + 1) do
        seq = seq + 1
    end
    if not message_id_at(room, seq) then
        seq = room.newest ~= "" and load_message(room, room.newest) or nil
    end
    if seq then
        local message, _, _, _, _, ordinal, kind = message_at(room, seq)
        local _, _, _, _, _, before = message_at(room, seq - 1)
        -- An ordinal that does not follow the one before is the log's own difference.
        local follows = before and before + kind % 2 == ordinal
        return seq, (follows or not before) and ordinal, message
    end
end

local function audit_newest(room)
    local seq, ordinal, message = newest_in_log(room)
    if seq then
        compare("seq", room.seq, seq, change_head(room, "seq", seq))
        compare("newest", room.newest, message, change_head(room, "newest", message))
    end
    if ordinal then
        compare("ordinal", room.ordinal, ordinal, change_head(room, "ordinal", ordinal))
    end
    compare_range("ordinal", room.ordinal, 0, room.seq, change_head(room, "ordinal", room.seq))
    compare_range("oldest", room.oldest, 1, room.seq + 1, change_head(room, "oldest", room.seq + 1))
end

-- The ordinal up to which messages were deleted together, by the first one that was not; nil when
-- that is forgotten.
local function expected_floor(room)
    if room.floor_seq >= room.seq then
        return room.ordinal
    end
    local message, _, _, _, _, ordinal, kind = message_at(room, room.floor_seq + 1)
    return message and ordinal - kind % 2
end

-- The seq before the first message that was not deleted together with others, by the ordinal that
-- the floor has.
local function seq_of_floor(room)
    for seq = room.oldest, math.min(room.seq, room.oldest + NEWER_AT_ONCE) do
        local message, _, _, _, _, ordinal, kind = message_at(room, seq)
        if message and ordinal - kind % 2 >= room.floor then
            return seq - 1
        end
    end
    return room.seq
end

local function audit_places(room)
    if room.floor_seq > room.seq then
        local seq = seq_of_floor(room)
        compare("floor_seq", room.floor_seq, seq, change_head(room, "floor_seq", seq))
    end
    local floor = expected_floor(room)
    if floor then
        compare("floor", room.floor, floor, change_head(room, "floor", floor))
    end
    compare_range("floor", room.floor, 0, room.ordinal, change_head(room, "floor", room.ordinal))
    local function has(bucket)
        return redis.call("HEXISTS", room.key .. MESSAGE_LOG, BUCKET_OF .. bucket) == 1
    end

    local buckets = room.buckets
    if has(buckets) or buckets ~= 1 and not has(buckets - 1) then
        buckets = 0
        while has(buckets) do
            buckets = buckets + 1
        end
    end
    buckets = math.max(buckets, 1)
    compare("buckets", room.buckets, buckets, change_head(room, "buckets", buckets))
end

-- What is kept of messages that were deleted one by one, and of places that were left out.
local function audit_counts(room)
    local from = string.format("(%.0f", room.floor_seq)
    local deleted = redis.call("ZCOUNT", room.key .. DELETED_SEQS, from, "+inf")
        + count_jumped(load_jumps(room), room.floor_seq + 1)
    -- Those that were forgotten since are in the sum alone.
    local most = room.oldest <= room.floor_seq + 1 and deleted or deleted + room.oldest - 1 - room.floor_seq
    local nearest = math.max(deleted, math.min(most, room.deleted_count))
    compare_range("deleted_count", room.deleted_count, deleted, most, change_head(room, "deleted_count", nearest))
    local top = highest_hole(room)
    if top then
        compare("top_hole", room.top_hole, top, change_head(room, "top_hole", top))
    else
        compare_range("top_hole", room.top_hole, 0, room.ordinal, change_head(room, "top_hole", 0))
    end
end
