-- migrating: a room of layout 1 becomes one of this layout, in steps. After each of them any
-- process can go on. While the head is of layout 1 no other script works on the room, and the head
-- is written last.
-- No step keeps the cursor of a scan: after a failover another server would take it for another
-- place. A large hash is renamed instead, and its values are taken from there.
--@include lib/batches
--@include lib/migrating_messages
--@include lib/first_layout

-- The records of members who are away. The other fields, of stays, are as they were.
local function migrate_leavers(room, flat)
    local changed = {}
    for i = 1, #flat, 2 do
        local record = flat[i + 1]
        if not string.find(flat[i], SEPARATOR, 1, true) then
            record = migrate_record(record, 0)
        end
        changed[i], changed[i + 1] = flat[i], record
    end
    call_in_batches("HSET", room.key .. LEAVERS, changed)
end

-- The records of members. Their copies were told everything, unless the room is derived: so they
-- are attentive until the next post.
local function migrate_members(room, flat)
    local changed, scores, names = {}, {}, {}
    local attentive_until = room.derived and 0 or room.ordinal + 1
    for i = 1, #flat, 2 do
        if flat[i] ~= HEAD then
            local record, cursor = migrate_record(flat[i + 1], attentive_until)
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

-- Put the values of a hash aside as unmigrated, without the head of the room.
local function put_aside(room, suffix)
    local head = suffix == "" and redis.call("HGET", room.key, HEAD)
    if head then
        redis.call("HDEL", room.key, HEAD)
    end
    redis.call("RENAME", room.key .. suffix, room.key .. UNMIGRATED)
    if head then
        redis.call("HSET", room.key, HEAD, head)
    end
end

-- Migrate at most `most` values of a hash. Returns how many that were, and true when it is done.
local function migrate_hash(room, suffix, most, migrate)
    local unmigrated = room.key .. UNMIGRATED
    if redis.call("EXISTS", unmigrated) == 0 then
        local size = redis.call("HLEN", room.key .. suffix) - (suffix == "" and 1 or 0) -- without the head
        if size <= most then
            migrate(room, redis.call("HGETALL", room.key .. suffix))
            return size, true
        end
        put_aside(room, suffix)
    end
    local flat, fields = redis.call("HRANDFIELD", unmigrated, most, "WITHVALUES"), {}
    migrate(room, flat)
    for i = 1, #flat, 2 do
        fields[#fields + 1] = flat[i]
    end
    call_in_batches("HDEL", unmigrated, fields)
    return #fields, redis.call("EXISTS", unmigrated) == 0
end

-- One step of migrating a room: at most `most` values. True when it is done.
local function migrate_room(room, phase, most)
    local looked, done = 0, true
    if phase == 1 then
        looked, done = migrate_messages(room, most)
    end
    if done and phase <= 2 then
        phase, most = 2, most - looked
        looked, done = migrate_hash(room, LEAVERS, most, migrate_leavers)
        if done and room.large and not room.derived then
            redis.call("UNLINK", room.key .. BY_CURSOR) -- as it was when last asked for
        end
    end
    if done then
        phase, most = 3, most - looked
        looked, done = migrate_hash(room, "", most, migrate_members)
    end
    if done then
        save_head(room)
        redis.call("UNLINK", room.key .. PHASE)
    else
        save_phase(room, phase)
    end
    return done
end
