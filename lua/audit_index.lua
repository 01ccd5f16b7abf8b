#!lua
-- audit_index: buckets of a room's index of message ids: each entry stands for a message that the
-- log has, in the bucket of its hash and in the order of the seqs. That none is missing is the
-- business of audit_messages.
--
-- Key        room
-- Args       repair flag, ...fields
--            fields: of the log; those that are no buckets are passed over
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 3 + 2 * fields + messages, turns <= 20 + 10 * fields + 9 * messages
--            messages: in these buckets
--@include lib/audit
--@include lib/log_entries
--@include lib/room

local room = existing_room(key)

local function belongs(number, bucket, at, before)
    local seq = indexed_seq(room, bucket, at)
    local entry = seq > before and seq <= room.seq and load_entry(room, seq)
    local hash = entry and hash_of(entry.packing, entry.id)
    if not hash or struct.pack(">I3", hash) ~= string.sub(bucket, at, at + 2) then
        return false
    end
    return bucket_of(hash, room.buckets) == number, seq
end

-- The bucket without what does not belong there.
local function expected_bucket(number, bucket)
    local parts, before = {}, 0
    for at = 1, #bucket - INDEXED_BYTES + 1, INDEXED_BYTES do
        local keeps, seq = belongs(number, bucket, at, before)
        local forgotten = before == 0 and indexed_seq(room, bucket, at) < room.oldest
        if keeps or forgotten then
            parts[#parts + 1] = string.sub(bucket, at, at + INDEXED_BYTES - 1)
            before = keeps and seq or before
        end
    end
    return table.concat(parts)
end

for _, field in ipairs(room and fields or {}) do
    local number = string.match(field, "^" .. BUCKET_OF .. "(%d+)$")
    local bucket = number and redis.call("HGET", key .. MESSAGE_LOG, field)
    if bucket and tonumber(number) >= room.buckets then
        note_difference(of("bucket", number), "there", "", function()
            redis.call("HDEL", key .. MESSAGE_LOG, field)
        end)
    elseif bucket then
        local expected = expected_bucket(tonumber(number), bucket)
        compared = compared + 1
        if expected ~= bucket then
            note_difference(of("bucket", number), #bucket / INDEXED_BYTES, #expected / INDEXED_BYTES, function()
                redis.call("HSET", key .. MESSAGE_LOG, field, expected)
            end)
        end
    end
end
return { compared, differences }
