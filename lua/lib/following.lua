-- following: the user's version and what is counted as of it, for devices that keep both.
--@include lib/batches
--@include lib/copies
--@include lib/arrays
--@plan

-- Whether the user is in the room of a copy, and the room is active.
local function is_there(state, tags)
    return state == ACTIVE or state == DERIVED and string.sub(tags, -1) ~= SEPARATOR
end

-- Unread over the active derived rooms of a user, as their copies have it.
local function unread_of_derived(key)
    local rooms, total = redis.call("SMEMBERS", key .. DERIVED_ROOMS), 0
    for i, room in ipairs(rooms) do
        rooms[i] = COPY_OF .. room
    end
    for first = 1, #rooms, AT_ONCE do
        local last = math.min(first + AT_ONCE - 1, #rooms)
        for _, copy in ipairs(redis.call("HMGET", key, unpack(rooms, first, last))) do
            if copy then -- else the set was damaged, which the audit mends
                local _, _, unread, state, _, tags = read_copy(copy)
                total = total + (is_there(state, tags) and unread or 0)
            end
        end
    end
    return total
end

-- Bring the user's side up to date as far as one script may. Returns their version, unread over all
-- rooms, number of derived rooms, the version up to which changes are forgotten, and the rooms that
-- the caller must visit: those with news, and derived ones.
-- Unread is that of the copies, not what the visits say: with the same version it is the same,
-- also when others visit the same rooms meanwhile.
local function catch_up_with_rooms(key, user, settings)
    local version, unread, with_news, derived, forgotten = load_sums(key)
    if with_news == 0 and derived == 0 then
        return version, unread, 0, forgotten, NONE, NONE
    end
    local _, news, elsewhere = visit_rooms(key, user, settings, with_news, derived, true)
    version, unread, with_news, derived, forgotten = load_sums(key)
    if derived > 0 then
        unread = unread + unread_of_derived(key)
    end
    return version, unread, derived, forgotten, news, elsewhere
end
