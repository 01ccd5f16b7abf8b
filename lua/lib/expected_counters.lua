-- expected_counters: what a user's counters must be, recomputed from the copies.
--@include lib/copies
--@include lib/tags
--@include lib/damaged

-- A flat list of names and values in turn as a table.
local function pairs_of(flat)
    local found = {}
    for i = 1, #flat, 2 do
        found[flat[i]] = flat[i + 1]
    end
    return found
end

local function load_hash(key)
    return pairs_of(redis.call("HGETALL", key))
end

-- A list of names as a table name -> "1".
local function as_names(list)
    local found = {}
    for _, name in ipairs(list) do
        found[name] = "1"
    end
    return found
end

local function names_in(found)
    local names = {}
    for name in pairs(found) do
        names[#names + 1] = name
    end
    return names
end

-- Count one counted room with these tags.
local function count_room(found, unread, tags)
    found.total = found.total + unread
    if tags == "" then
        return
    end
    local function add(field)
        found.counters[field] = (found.counters[field] or 0) + unread
    end

    found.sets[tags] = (found.sets[tags] or 0) + 1
    add(UNREAD_OF_TAG_SET .. tags)
    for tag in each_tag(tags) do
        add(UNREAD_OF_TAG .. tag)
    end
end

-- The sums over the copies: total, derived_count, counters (field -> unread), sets (tag set ->
-- rooms), derived (room -> "1"), gone (room -> revision) and how many rooms the user is in; and
-- beside it what is stored: `stored` (field -> unread) and `sums`, packed.
local function expected_counters(key)
    local found = {
        total = 0, derived_count = 0, rooms = 0, counters = {}, sets = {}, derived = {}, gone = {}, stored = {},
    }
    for field, packed in pairs(load_hash(key)) do
        local room = room_of_field(field)
        if field == SUMS then
            found.sums = packed
        elseif not room then
            found.stored[field] = packed
        else
            local revision, _, unread, state, _, tags = unless_damaged(pcall(read_copy, packed))
            found.rooms = found.rooms + (state and state ~= GONE and 1 or 0)
            if state == DERIVED then
                found.derived_count, found.derived[room] = found.derived_count + 1, "1"
            elseif state == GONE then
                found.gone[room] = string.format("%.0f", revision)
            elseif state == ACTIVE then
                count_room(found, unread, tags)
            end
        end
    end
    return found
end
