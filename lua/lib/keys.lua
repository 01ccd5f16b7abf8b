-- keys: the same names that service/store/keys.py builds, for scripts that reach from a room to its members or back.
-- Only the atomic plan does that; a test holds both files against each other.

local function room_key(app, room)
    return "{r:" .. app .. ":" .. room .. "}"
end

local function user_key(app, user)
    return "{u:" .. app .. ":" .. user .. "}"
end

-- The room's id, cut out of its key.
local function room_of(app, key)
    return string.sub(key, #app + 5, -2)
end

local function notices_channel(app)
    return "n:" .. app
end
