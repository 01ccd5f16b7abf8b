-- terms: a server is the primary for a term, which ends with a failover or a restart. Both may lose
-- the newest messages. A place (seq) that was given out and lost must not be given out again: its
-- first reader would pass for a reader of another message. So with the first message in a new term
-- the seq of a room jumps, and the places between are left out.
-- A jump ends where chunks of the log and of its senders begin.
--@include lib/keys

local JUMP = 1024 -- places; more than are lost of one room
local JUMP_ENDS_AT = 128 -- a multiple of it: SENDERS_CHUNK (lib/message_log.lua)

local JUMP_LAYOUT = ">I5I5" -- first and last place left out
local JUMP_BYTES = 10

local TERM_LOOKED_AT_US = 100000 -- after so long the server is asked again
local TERMS = 16777215

-- The term of this server, 1 or more, and the revision at which it was last asked.
local asked = { term = 0, revision = 0 } -- kept

-- The number of this server's term, which follows from its replication id. `revision`: a new one.
local function present_term(revision)
    if math.abs(revision - asked.revision) > TERM_LOOKED_AT_US then
        local id = string.match(redis.call("INFO", "replication"), "master_replid:(%x+)") or "0"
        asked = { term = tonumber(string.sub(id, 1, 8), 16) % TERMS + 1, revision = revision }
    end
    return asked.term
end

local function note_jump(room, first, last)
    local jumps = redis.call("HGET", room.key .. MESSAGE_LOG, JUMPS) or ""
    redis.call("HSET", room.key .. MESSAGE_LOG, JUMPS, jumps .. struct.pack(JUMP_LAYOUT, first, last))
end

-- Before a room gives out a place: jump, when its last place was given out in another term. Returns
-- whether it did.
local function jump_if_due(room)
    local before = room.term
    room.term = present_term(room.revision)
    if before == room.term or before == 0 then
        return false
    end
    local last = math.ceil(room.seq / JUMP_ENDS_AT) * JUMP_ENDS_AT + JUMP
    if room.oldest > room.seq then
        room.oldest = last + 1
    else
        note_jump(room, room.seq + 1, last)
    end
    room.deleted_count = room.deleted_count + last - room.seq
    room.seq = last
    return true
end

-- The jumps between the messages that are remembered, { first and last place left out, ... }.
local function load_jumps(room)
    local packed, jumps = redis.call("HGET", room.key .. MESSAGE_LOG, JUMPS) or "", {}
    for at = 1, #packed, JUMP_BYTES do
        jumps[#jumps + 1], jumps[#jumps + 2] = struct.unpack(JUMP_LAYOUT, packed, at)
    end
    return jumps
end

-- The first and the last place that the jump over `seq` left out; nil when there was none.
local function jump_in(jumps, seq)
    for i = 1, #jumps, 2 do
        if jumps[i] <= seq and seq <= jumps[i + 1] then
            return jumps[i], jumps[i + 1]
        end
    end
end

local function jump_over(room, seq)
    return jump_in(load_jumps(room), seq)
end
