-- reach: keys of other slots, for scripts that reach from a room to its members or back. Only the
-- atomic plan does that. A test compares the names with service/readstate/store/keys.py.

local APP = ARG.app

local function room_key(room)
    return "{r:" .. APP .. ":" .. room .. "}"
end

local function user_key(user)
    return "{u:" .. APP .. ":" .. user .. "}"
end

local function events_key(shard)
    return "{w:" .. shard .. "}"
end

-- A room's id, cut out of its key.
local function room_id(key)
    return string.sub(key, #APP + 5, -2)
end
