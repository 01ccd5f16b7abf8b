-- members: the record of one member, and who the members are.
--@include lib/room

local RECORD_LAYOUT = ">BI5I5I5I5I5I6I4"
local RECORD_BYTES = 36 -- at least; what is shorter is damaged, and taken for no record
local COUNTS_LAYOUT = ">BI5I5I5" -- of the first four
local RECORD_BEGINS = 128 -- the first byte: this, and 1 when marked; the first byte of layout 1 is below

-- A member's record is one string: what follows, and behind it the newest moves of the journal
-- (lib/journal.lua). Nil for a stranger. Returns
--   cursor   seq
--   ordinal  after which unread is counted: the cursor's, unless the count was set otherwise
--   told_until  ordinal before which they are told of posts (lib/attention.lua)
--   read     seq last really read, 0: never; joining is not reading
--   joined   seq at which they joined; what came before does not concern them
--   at       when the cursor last moved, joining included, on the room's clock
--   moves    how many moves their journal has had
--   marked   1 when they have marked the room as unread (lib/marks.lua)
--   tail     the journal's newest moves
-- These are for the calls that are made most often. Others take the record as a table.
local function read_record(packed)
    if not packed or #packed < RECORD_BYTES then
        return nil
    end
    local begins, cursor, ordinal, told_until, read, joined, at, moves, behind = struct.unpack(RECORD_LAYOUT, packed)
    return cursor, ordinal, told_until, read, joined, at, moves, begins - RECORD_BEGINS, string.sub(packed, behind)
end

local function pack_record(cursor, ordinal, told_until, read, joined, at, moves, marked, tail)
    local begins = RECORD_BEGINS + marked
    return struct.pack(RECORD_LAYOUT, begins, cursor, ordinal, told_until, read, joined, at, moves) .. tail
end

-- A record as a table, with the member's name. Nil for a stranger.
local function read_member(name, packed)
    local cursor, ordinal, told_until, read, joined, at, moves, marked, tail = read_record(packed)
    if cursor then
        return {
            name = name,
            cursor = cursor,
            ordinal = ordinal,
            told_until = told_until,
            read = read,
            joined = joined,
            at = at,
            moves = moves,
            marked = marked,
            tail = tail,
        }
    end
end

local function load_record(room, member)
    return member ~= HEAD and redis.call("HGET", room.key, member)
end

local function load_member(room, name)
    return read_member(name, load_record(room, name))
end

-- Cursor, ordinal, and the ordinal before which they are told, of a member's record.
local function read_counts(packed)
    local _, cursor, ordinal, told_until = struct.unpack(COUNTS_LAYOUT, packed)
    return cursor, ordinal, told_until
end

-- The same of a member; nil for a stranger.
local function load_counts(room, name)
    local packed = load_record(room, name)
    if packed and #packed >= RECORD_BYTES then
        return read_counts(packed)
    end
end

local function member_names(room)
    local names = {}
    for _, field in ipairs(redis.call("HKEYS", room.key)) do
        if field ~= HEAD then
            names[#names + 1] = field
        end
    end
    return names
end

-- Save a member's record, and the head of the room with it.
local function save_record(room, name, cursor, ordinal, told_until, read, joined, at, moves, marked, tail)
    local record = pack_record(cursor, ordinal, told_until, read, joined, at, moves, marked, tail)
    redis.call("HSET", room.key, HEAD, pack_head(room), name, record)
    if room.large then
        redis.call("ZADD", room.key .. BY_CURSOR, cursor, name)
    end
end

local function save_member(room, member)
    save_record(
        room, member.name, member.cursor, member.ordinal, member.told_until, member.read, member.joined, member.at,
        member.moves, member.marked, member.tail
    )
end

local TOLD_UNTIL_BEGINS = 12 -- byte of a record
local TOLD_UNTIL_ENDS = 16
local TOLD_UNTIL_LAYOUT = ">I5"

local function save_told_until(room, member, record, told_until)
    local before, behind = string.sub(record, 1, TOLD_UNTIL_BEGINS - 1), string.sub(record, TOLD_UNTIL_ENDS + 1)
    redis.call("HSET", room.key, member, before .. struct.pack(TOLD_UNTIL_LAYOUT, told_until) .. behind)
end
