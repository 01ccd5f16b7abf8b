-- receipts_page: the three sections of receipts. A page is a table: the message (seq, sender,
-- sender_joined, by_member: its acknowledgements), what is asked for (wants_read, since), where to
-- go on (section, place, last), how many people may still be looked at (limit), those found
-- (people), and how many moves of journals were walked over for them (walked).
--@include lib/room
--@include lib/receipts
--@include lib/pages
--@include lib/trails

local MOST_WALKED = 10000

-- Let the room's clock, for this call, show the present time.
local function set_clock_to_now(room)
    local time = redis.call("TIME")
    room.revision = math.max(room.revision, time[1] * 1000000 + time[2])
end

local function add_person(page, name, at, exact, left_at, trail)
    page.people[#page.people + 1] = { name, at, exact and 1 or 0, left_at, trail }
end

-- An acknowledgement, or the cursor's coming by, whichever was first.
local function add_acknowledgement(page, entry)
    local member = load_member(page.room, entry.member)
    local at, exact, left_at = entry.at, true, -1
    if not member or member.joined ~= entry.joined then
        left_at = select(2, ended_stay(page.room, entry.member, entry.joined)) or 0
    elseif member.cursor >= page.seq then
        local reached_at, sure = reached(page.room, member, page.seq)
        if reached_at < at then
            at, exact = reached_at, sure
        end
    end
    add_person(page, entry.member, at, exact, left_at, {})
end

-- Section q. What is left of the limit goes to section c.
local function add_acknowledged(page, acknowledged)
    local done = math.max(page.place, 0)
    for i = done + 1, math.min(#acknowledged, done + page.limit) do
        add_acknowledgement(page, acknowledged[i])
    end
    page.place = done + page.limit
    if page.place >= #acknowledged then
        page.limit = page.limit - math.max(#acknowledged - done, 0)
        page.section, page.place, page.last = "c", -1, ""
    else
        page.limit = 0
    end
end

-- Whether the message does not concern this membership, or the page shows it elsewhere.
local function is_passed_over(page, name, joined)
    local entry = page.by_member[name]
    return joined >= page.seq
        or (entry and entry.joined == joined)
        or (name == page.sender and joined == page.sender_joined)
end

local function walk_trail(page, member)
    local trail = page.since >= 0 and trail_since(page.room, member, page.since) or {}
    page.walked = page.walked + #trail / 2
    return trail
end

-- Add the people among elements `from` to `to` by score at `key` with `add(name, i, found)`; if
-- their journals get too long for one page, the first of them only. True when there are more behind
-- them.
local function add_found(page, key, from, to, add)
    local found, more
    found, more, page.place, page.last = after_place(key, from, to, page.place, page.last, page.limit)
    for i, name in ipairs(found) do
        add(name, i, found)
        if page.walked >= MOST_WALKED and i < #found then
            page.place, page.last, page.limit = tonumber(redis.call("ZSCORE", key, name)), name, 0
            return true
        end
    end
    page.limit = page.limit - #found
    return more
end

-- Section c. The last one for non-readers.
local function add_members_by_cursor(page, order)
    local records

    local function add_member(name, i, found)
        records = records or redis.call("HMGET", page.room.key, unpack(found))
        local member = read_member(name, records[i])
        if not member or is_passed_over(page, name, member.joined) then
            return
        end
        local trail = walk_trail(page, member)
        local at, exact = 0, true
        if page.wants_read then
            at, exact = reached(page.room, member, page.seq)
        end
        add_person(page, name, at, exact, -1, trail)
    end

    local from, to = -1, page.seq - 1
    if page.wants_read then
        from, to = page.seq, math.huge
    end
    if not add_found(page, order, from, to, add_member) then
        page.section, page.place, page.last = page.wants_read and "y" or "", -1, ""
    end
end

-- Section y, the last one for readers.
local function add_leavers(page)
    local function add_leaver(stay)
        local name, joined = read_stay(stay)
        if not name or is_passed_over(page, name, joined) then
            return
        end
        local _, left_at = ended_stay(page.room, name, joined)
        local packed = redis.call("HGET", page.room.key, name) or redis.call("HGET", page.room.key .. LEAVERS, name)
        local member = read_member(name, packed)
        if not (member and left_at) then
            return -- damaged
        end
        local at, exact = reached(page.room, member, page.seq)
        local trail = walk_trail(page, member)
        -- It matters even if they never moved: a page may have shown them before they left.
        add_person(page, name, at, exact, left_at, #trail == 0 and { member.cursor, 0 } or trail)
    end

    if not add_found(page, page.room.key .. STAYS_BY_CURSOR, page.seq, math.huge, add_leaver) then
        page.section = ""
    end
end
