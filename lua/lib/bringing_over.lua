-- bringing_over: a room of layout 1 becomes one of this layout, in steps. After each of them any
-- process can go on. While the head is of layout 1 no other script works on the room, and the head
-- is written last.
-- No step keeps the cursor of a scan: after a failover another server would take it for another
-- place. A large hash is set aside under another name instead, and its values are taken from there.
--@include lib/batches
--@include lib/bringing_messages_over
--@include lib/first_layout

-- The records of members who are away. The other fields, of stays, are as they were.
local function bring_leavers_over(room, flat)
    local changed = {}
    for i = 1, #flat, 2 do
        local record = flat[i + 1]
        if not string.find(flat[i], SEPARATOR, 1, true) then
            record = bring_record_over(record, 0)
        end
        changed[i], changed[i + 1] = flat[i], record
    end
    call_in_batches("HSET", room.key .. LEAVERS, changed)
end

-- The records of members. Their copies were told everything, unless the room is derived: so they
-- are attentive until the next post.
local function bring_members_over(room, flat)
    local changed, scores, names = {}, {}, {}
    local told_until = room.derived and 0 or room.ordinal + 1
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD then
            local record, cursor = bring_record_over(flat[i + 1], told_until)
            local n = #changed
            changed[n + 1], changed[n + 2] = flat[i], record
            scores[n + 1], scores[n + 2] = cursor, flat[i]
            names[#names + 1] = flat[i]
        end
    end
    call_in_batches("HSET", room.key, changed)
    if room.large then
        call_in_batches("ZADD", room.key .. BY_CURSOR, scores)
    end
    if room.large and not room.derived then
        call_in_batches("SADD", room.key .. ATTENTIVE, names)
    end
end

-- Set the values of a hash aside, without the head of the room.
local function set_aside(room, suffix)
    local head = suffix == "" and redis.call("HGET", room.key, HEAD)
    if head then
        redis.call("HDEL", room.key, HEAD)
    end
    redis.call("RENAME", room.key .. suffix, room.key .. ASIDE)
    if head then
        redis.call("HSET", room.key, HEAD, head)
    end
end

-- Bring at most `most` values of a hash over. Returns how many that were, and true when it is done.
local function bring_hash_over(room, suffix, most, bring)
    local aside = room.key .. ASIDE
    if redis.call("EXISTS", aside) == 0 then
        local size = redis.call("HLEN", room.key .. suffix) - (suffix == "" and 1 or 0) -- without the head
        if size <= most then
            bring(room, redis.call("HGETALL", room.key .. suffix))
            return size, true
        end
        set_aside(room, suffix)
    end
    local flat, fields = redis.call("HRANDFIELD", aside, most, "WITHVALUES"), {}
    bring(room, flat)
    for i = 1, #flat, 2 do
        fields[#fields + 1] = flat[i]
    end
    call_in_batches("HDEL", aside, fields)
    return #fields, redis.call("EXISTS", aside) == 0
end

-- One step of bringing a room over: at most `most` values. True when it is done.
local function bring_room_over(room, phase, most)
    local looked, done = 0, true
    if phase == 1 then
        looked, done = bring_messages_over(room, most)
    end
    if done and phase <= 2 then
        phase, most = 2, most - looked
        looked, done = bring_hash_over(room, LEAVERS, most, bring_leavers_over)
        if done and room.large and not room.derived then
            redis.call("UNLINK", room.key .. BY_CURSOR) -- as it was when last asked for
        end
    end
    if done then
        phase, most = 3, most - looked
        looked, done = bring_hash_over(room, "", most, bring_members_over)
    end
    if done then
        save_head(room)
        redis.call("UNLINK", room.key .. PHASE)
    else
        save_phase(room, phase)
    end
    return done
end
