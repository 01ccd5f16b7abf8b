-- first_layout: the head of a room and the records of members as layout 1 has them.
--@include lib/crossing
--@include lib/layouts
--@include lib/members

local FIRST_HEAD_LAYOUT = ">I7I7I5I5I4I5I5I5I5BBc0" -- behind it the tag set
local FIRST_RECORD_LAYOUT = ">I5I5I5I5I6I4B" -- behind it the journal's newest moves

-- The head, as read_head returns it, and the phase that the room is in.
local function load_first_head(key, packed)
    local revision, created, seq, ordinal, member_count, floor, floor_seq, deleted, top_hole, flags, newest, behind =
        struct.unpack(FIRST_HEAD_LAYOUT, packed)
    local room = new_head(key)
    room.revision, room.created_revision, room.seq, room.ordinal = revision, created, seq, ordinal
    room.member_count, room.newest, room.tags = member_count, newest, string.sub(packed, behind)
    room.floor, room.floor_seq, room.deleted_count, room.top_hole = floor, floor_seq, deleted, top_hole
    room.active, room.deleted = flags % 2 == 0, flags % 4 >= DELETED_FLAG
    room.derived, room.by_client = flags % 8 >= DERIVED_FLAG, flags >= BY_CLIENT_FLAG
    room.large = room.derived or member_count > WALKED
    local phase, oldest, buckets = string.match(redis.call("GET", key .. PHASE) or "", "(%d+) (%d+) (%d+)")
    if not phase then
        phase, oldest, buckets = 1, seq - redis.call("HLEN", key .. MESSAGE_LOG) + 1, 1
    end
    room.oldest, room.buckets = tonumber(oldest), tonumber(buckets)
    return room, tonumber(phase)
end

local function save_phase(room, phase)
    redis.call("SET", room.key .. PHASE, string.format("%d %.0f %d", phase, room.oldest, room.buckets))
end

-- A record of layout 1 in this layout, and its cursor. `attentive_until`: the ordinal before which
-- the member is told.
local function migrate_record(packed, attentive_until)
    local cursor, ordinal, read, joined, at, moves, marked, behind = struct.unpack(FIRST_RECORD_LAYOUT, packed)
    local tail = string.sub(packed, behind)
    return pack_record(cursor, ordinal, attentive_until, read, joined, at, moves, marked, tail), cursor
end
