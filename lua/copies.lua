#!lua flags=no-writes
-- copies: the copies that a user's side holds, for an audit.
--
-- KEYS[1]    user
-- ARGV[1..]  rooms    none: all
--
-- Reply      { room, revision, cursor, unread, state, tags, ... }   only those that exist
-- Cost       commands <= 1 + rooms, turns <= 8 + rooms * 8 + tags * 2
--@include lib/copies

local reply = {}
local function add(room, packed)
    local rev, cursor, unread, state, _, tags = read_copy(packed)
    for _, value in ipairs({ room, rev, cursor, unread, state, tags }) do
        reply[#reply + 1] = value
    end
end
if #ARGV > 0 then
    for _, room in ipairs(ARGV) do
        local packed = redis.call("HGET", KEYS[1], "r" .. room)
        if packed then
            add(room, packed)
        end
    end
    return reply
end
local flat = redis.call("HGETALL", KEYS[1])
for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 1) == "r" then
        add(string.sub(flat[i], 2), flat[i + 1])
    end
end
return reply
