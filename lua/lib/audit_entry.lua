-- audit_entry: one message of the log, held against the one above it and what is stored of it
-- elsewhere. `walk` is that of lib/audit_log.lua.
--@include lib/audit
--@include lib/audit_gaps
--@include lib/log_entries
--@include lib/text
--@include lib/room

-- What sets a field of an entry.
local function set_of(entry, field, value, room)
    return function()
        entry[field] = value
        put_entry(room, entry)
    end
end

-- Which of the two is wrong when a message does not fit to the one above: the kind of that one, if
-- this one fits to the one below; else this one's ordinal.
local function audit_ordinal(walk, entry)
    local room, above = walk.room, walk.above
    local step = above and above.ordinal - entry.ordinal
    local below = load_entry(room, entry.seq - 1)
    if (step == 0 or step == 1) and below and below.ordinal + entry.kind % 2 == entry.ordinal then
        compare(of("kind", above.seq), above.kind, above.kind - above.kind % 2 + step,
            set_of(above, "kind", above.kind - above.kind % 2 + step, room))
        return
    end
    compare(of("ordinal", entry.seq), entry.ordinal, walk.expected, set_of(entry, "ordinal", walk.expected, room))
    entry.ordinal = walk.expected
end

local function audit_row(room, entry)
    local other = entry.row and entry.row ~= entry.seq and load_entry(room, entry.row)
    if entry.row and not (entry.row == entry.seq or entry.row < room.oldest or other and other.row) then
        compare(of("row", entry.seq), entry.row, entry.seq, set_of(entry, "row", entry.seq, room))
    end
end

local function audit_sender(room, entry)
    local senders = redis.call("HGET", room.key .. MESSAGE_LOG, senders_of(entry.seq))
    local read, _, sender = pcall(struct.unpack, SENDER_LAYOUT, senders or "", entry.sender_at + 1)
    if not (read and is_text(sender)) then
        note_difference(of("sender", entry.seq), DAMAGED_VALUE, LOST, function()
            entry.sender_at = place_of_no_sender(room, entry.seq)
            put_entry(room, entry)
        end)
    end
end

-- Its id leads to it. When it leads to another message of that id, this one's own was overwritten.
local function audit_place(room, entry)
    local place = load_message(room, entry.message)
    if not place then
        compare(of("place", entry.seq), "", entry.seq, function()
            index_again(room, entry.message, entry.seq)
        end)
    elseif place ~= entry.seq then
        note_difference(of("id", entry.seq), entry.message, LOST, function()
            entry.message = stand_in_id(room, entry.seq)
            entry.packing, entry.id = pack_id(entry.message)
            put_entry(room, entry)
            index_again(room, entry.message, entry.seq)
        end)
    end
end

local function audit_entry(walk, entry)
    local room = walk.room
    if walk.gap then
        fill_gap(walk, entry.seq, walk.expected - entry.ordinal)
        walk.gap, walk.above = nil, nil
        if entry.ordinal <= walk.expected then
            walk.expected = entry.ordinal
        end
    end
    if entry.ordinal ~= walk.expected then
        audit_ordinal(walk, entry)
    end
    audit_row(room, entry)
    audit_sender(room, entry)
    audit_place(room, entry)
    if is_deleted(room, 1 + room.floor_seq, entry.kind) then
        walk.deleted[entry.seq] = true
    end
    if entry.kind % 2 == COUNTABLE and entry.kind >= DELETED then
        walk.holes[entry.ordinal] = true
    end
    walk.expected, walk.above = entry.ordinal - entry.kind % 2, entry
end
