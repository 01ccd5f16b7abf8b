-- staging: a room that is being imported is kept in keys of its own, so that no caller sees half of
-- it. When all of its messages are there it is put in its place; its members follow, some at a
-- time, as they do when they join.
--@include lib/room
--@include lib/log_changes

local STAGED_KEPT_S = 7 * 24 * 3600 -- for so long an import can be gone on with

-- What there is of a room before its members.
local STAGED_CONTENTS = { ACKNOWLEDGEMENTS, MESSAGE_LOG, DELETED_SEQS, HOLES, PROFILE, INVITED } -- kept

-- Whether the room with this key was last begun by this import.
local function is_of_import(key, import)
    return redis.call("HGET", key .. STAGED, IMPORT) == import
end

-- The staged head of a room, nil when there is none of this import. Its key is where it is staged.
local function staged_room(key, import)
    return is_of_import(key, import) and load_head(key .. STAGED) or nil
end

-- The room that this import has put in its place, nil when it was deleted since.
local function placed_room(key, import)
    return is_of_import(key, import) and existing_room(key) or nil
end

local function save_staged(room)
    save_head(room)
    redis.call("EXPIRE", room.key, STAGED_KEPT_S)
    for _, suffix in ipairs(STAGED_CONTENTS) do
        redis.call("EXPIRE", room.key .. suffix, STAGED_KEPT_S)
    end
end

-- A time on the clock of a room's records; none lies before the room or in the future.
local function on_room_clock(room, unix_ms)
    return math.max(0, math.min(unix_ms - created_ms_of(room), room_clock(room)))
end
