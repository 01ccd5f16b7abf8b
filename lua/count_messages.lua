#!lua flags=no-writes
-- count_messages: how many messages of a room are of a later time, in lots from the newest backwards.
-- Their times need not rise.
--
-- KEYS[1]    room
-- ARGV[1]    since_ms  Unix ms; 0: of any time, forgotten ones too
-- ARGV[2]    after     seq; messages up to it are unknown
-- ARGV[3]    below     seq before which to begin, 0: with the newest
-- ARGV[4]    limit     messages looked at
--
-- Reply      { count, below }   without deleted ones; below: where the next lot begins, 0 when this was the last
-- Errors     ROOM_UNKNOWN
-- Cost       commands <= 3, turns <= 3 * messages
--            messages: those looked at
--@include lib/room

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local since_ms, after, below, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if since_ms == 0 and after <= room.floor_seq then
    return { room.seq - room.floor_seq - room.dead, 0 }
end
local newest = below > 0 and below - 1 or room.seq
local oldest = math.max(after, room.floor_seq, newest - limit) + 1
if newest < oldest then
    return { 0, 0 }
end
local seqs, messages, later, count = {}, {}, {}, 0
for seq = oldest, newest do
    seqs[#seqs + 1] = seq
end
local log = redis.call("HMGET", room.key .. ":l", unpack(seqs))
for i, packed in ipairs(log) do
    if packed then
        local message, _, at_ms = cmsgpack.unpack(packed)
        if at_ms > since_ms then
            messages[#messages + 1], later[#later + 1] = message, seqs[i]
        end
    end
end
if #messages > 0 then
    for i, packed in ipairs(redis.call("HMGET", room.key .. ":i", unpack(messages))) do
        local _, _, kind = cmsgpack.unpack(packed)
        count = count + (is_deleted(room, later[i], kind) and 0 or 1)
    end
end
local is_first = oldest == math.max(after, room.floor_seq) + 1
return { count, log[1] and not is_first and oldest or 0 }
