-- keys: the same names that service/readstate/store/keys.py builds, for scripts that reach from a room to its members or back.
-- Only the atomic plan does that; a test holds both files against each other.

-- Every script that reaches beyond its own slot is told its app first.
local APP = ARGV[1]

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
local function room_of(key)
    return string.sub(key, #APP + 5, -2)
end
