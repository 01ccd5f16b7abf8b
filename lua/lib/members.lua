-- members: the record of one member, and who the members are.
--@include lib/room

-- A record is short while its numbers are low, else wide. The first byte tells, with 1 more when
-- marked; that of layout 1 is below 128. A value that is too short for either is damaged.
local SHORT_BEGINS = 130
local SHORT_LAYOUT = ">BI2I2I2I2I2I5I2"
local SHORT_COUNTS = ">BI2I2I2" -- of the first four
local SHORT_BYTES = 18
local SHORT_BELOW = 65536
local SHORT_BELOW_MS = 1099511627776
local WIDE_BEGINS = 128
local WIDE_LAYOUT = ">BI5I5I5I5I5I6I4"
local WIDE_COUNTS = ">BI5I5I5"
local WIDE_BYTES = 36

-- A member's record is one string: what follows, and behind it the newest moves of the journal
-- (lib/journal.lua). Nil for a stranger. Returns
--   cursor   seq
--   ordinal  after which unread is counted: the cursor's, unless the count was set otherwise
--   attentive_until  ordinal before which they are told of posts (lib/attention.lua)
--   read     seq last really read, 0: never; joining is not reading
--   joined   seq at which they joined; what came before does not concern them
--   at       when the cursor last moved, joining included, on the room's clock
--   moves    how many moves their journal has had
--   marked   1 when they have marked the room as unread (lib/marks.lua)
--   tail     the journal's newest moves
-- These are for the calls that are made most often. Others take the record as a table.
local function read_record(packed)
    if not packed or #packed < SHORT_BYTES then
        return nil
    end
    local begins, cursor, ordinal, attentive_until, read, joined, at, moves, behind =
        struct.unpack(SHORT_LAYOUT, packed)
    local marked = begins - SHORT_BEGINS
    if marked < 0 then
        if #packed < WIDE_BYTES then
            return nil
        end
        begins, cursor, ordinal, attentive_until, read, joined, at, moves, behind = struct.unpack(WIDE_LAYOUT, packed)
        marked = begins - WIDE_BEGINS
    end
    return cursor, ordinal, attentive_until, read, joined, at, moves, marked, string.sub(packed, behind)
end

local function pack_record(cursor, ordinal, attentive_until, read, joined, at, moves, marked, tail)
    local layout, begins = WIDE_LAYOUT, WIDE_BEGINS
    if cursor < SHORT_BELOW and ordinal < SHORT_BELOW and attentive_until < SHORT_BELOW and read < SHORT_BELOW
        and joined < SHORT_BELOW and at < SHORT_BELOW_MS and moves < SHORT_BELOW then
        layout, begins = SHORT_LAYOUT, SHORT_BEGINS
    end
    return struct.pack(layout, begins + marked, cursor, ordinal, attentive_until, read, joined, at, moves) .. tail
end

-- A record as a table, with the member's name. Nil for a stranger.
local function read_member(name, packed)
    local cursor, ordinal, attentive_until, read, joined, at, moves, marked, tail = read_record(packed)
    if cursor then
        return {
            name = name,
            cursor = cursor,
            ordinal = ordinal,
            attentive_until = attentive_until,
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
    local begins, cursor, ordinal, attentive_until = struct.unpack(SHORT_COUNTS, packed)
    if begins < SHORT_BEGINS then
        begins, cursor, ordinal, attentive_until = struct.unpack(WIDE_COUNTS, packed)
    end
    return cursor, ordinal, attentive_until
end

-- The same of a member; nil for a stranger.
local function load_counts(room, name)
    local packed = load_record(room, name)
    local cursor, ordinal, attentive_until = read_record(packed)
    return cursor, ordinal, attentive_until
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
local function save_record(room, name, cursor, ordinal, attentive_until, read, joined, at, moves, marked, tail)
    local record = pack_record(cursor, ordinal, attentive_until, read, joined, at, moves, marked, tail)
    redis.call("HSET", room.key, HEAD, pack_head(room), name, record)
    if room.large then
        redis.call("ZADD", room.key .. BY_CURSOR, cursor, name)
    end
end

local function save_member(room, member)
    save_record(
        room, member.name, member.cursor, member.ordinal, member.attentive_until, member.read, member.joined, member.at,
        member.moves, member.marked, member.tail
    )
end

local function save_attentive_until(room, member, record, attentive_until)
    local cursor, ordinal, _, read, joined, at, moves, marked, tail = read_record(record)
    record = pack_record(cursor, ordinal, attentive_until, read, joined, at, moves, marked, tail)
    redis.call("HSET", room.key, member, record)
end
