-- audit_heads: what a room's head must be, by what else there is of the room.
--@include lib/audit
--@include lib/room
--@include lib/history
--@include lib/log_entries
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

-- The newest message, as the log has it, and its ordinal if that follows the one before; nil when
-- the log has no newest.
local function newest_in_log(room)
    local seq = room.seq
    while seq - room.seq < NEWER_AT_ONCE and load_entry(room, seq + 1) do
        seq = seq + 1
    end
    local newest = load_entry(room, seq)
    if not newest and room.newest ~= "" then
        newest = load_entry(room, load_message(room, room.newest) or 0)
    end
    local last = newest and seq or next_place(room, seq, -1)
    while seq - last > MOST_STAND_INS and last >= room.oldest and not newest do
        newest, last = load_entry(room, last), last - 1 -- so many messages cannot be missing
    end
    local before = newest and load_entry(room, newest.seq - 1)
    -- An ordinal that does not follow the one before is the log's own difference.
    local follows = newest and (not before or before.ordinal + newest.kind % 2 == newest.ordinal)
    return newest, follows and newest.ordinal
end

local function audit_newest(room)
    local newest, ordinal = newest_in_log(room)
    if newest then
        compare("seq", room.seq, newest.seq, change_head(room, "seq", newest.seq))
        compare("newest", room.newest, newest.message, change_head(room, "newest", newest.message))
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
    local first = load_entry(room, room.floor_seq + 1)
    return first and first.ordinal - first.kind % 2
end

-- The seq before the first message that was not deleted together with others, by the ordinal that
-- the floor has.
local function seq_of_floor(room)
    for seq = room.oldest, math.min(room.seq, room.oldest + NEWER_AT_ONCE) do
        local entry = load_entry(room, seq)
        if entry and entry.ordinal - entry.kind % 2 >= room.floor then
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
