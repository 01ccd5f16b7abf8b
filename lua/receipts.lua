#!lua flags=allow-oom
-- receipts: a page of those who have, or have not, read a message. In three parts, one after the other: those who acknowledged this very message
-- ("q"), members by cursor ("c"), people who left by the cursor that they left with ("y"). Non-readers are members by cursor alone.
--
-- KEYS[1]    room
-- ARGV[1]    message
-- ARGV[2]    which     "read" or "unread"
-- ARGV[3]    limit     people looked at for this page; fewer when their journals are long
-- ARGV[4]    part      where to go on: "q", "c" or "y"
-- ARGV[5]    place     in part q how many are done; else the cursor of the last one looked at, -1 for none
-- ARGV[6]    last      and their name
-- ARGV[7]    since     room clock at the first page, -1: this is the first
-- ARGV[8]    after     seq; messages up to it are unknown
--
-- Reply      { seq, sender, at_ms, read, unread, left, born_ms, revision, now, part, place, last, people }
--            now: room clock; part, place, last: where the next page begins, part "" at the end
--            people: { {member, at, exact, left_at, trail}, ... }   at, left_at on the room's clock, left_at -1 for a member;
--            trail: where they stood at `since` and since then, { cursor, 0, cursor, at, ... }, {} when they have not moved
-- Errors     ROOM_UNKNOWN, MESSAGE_UNKNOWN
-- Cost       commands <= 20 + 3 * acknowledged + limit * (3 + log(chunks)) + walked / 16,
--            turns <= 20 + members + 3 * acknowledged + limit * (20 + log(chunks)) + 2 * walked
--            members: up to the fan-out limit; chunks: of the longest journal; walked: moves since
--            the first page, at most 10,000 and those of one journal
--@include lib/room
--@include lib/receipts
--@include lib/pages

local MOST_WALKED = 10000

local room = load_head(KEYS[1])
if not room or room.deleted then
    return redis.error_reply(ROOM_UNKNOWN)
end
local seq, sender, at_ms, sender_joined = receipted(room, ARGV[1])
if not seq or seq <= tonumber(ARGV[8]) then
    return redis.error_reply(MESSAGE_UNKNOWN)
end
local wants_read, limit = ARGV[2] == "read", tonumber(ARGV[3])
local part, place, last, since = ARGV[4], tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local acknowledged, by_member = acknowledgements(room, seq)
local order = order_of(room)
local read, unread, left = count_receipts(room, order, seq, sender, sender_joined, acknowledged, {})
local time = redis.call("TIME")
local revision = room.rev
room.rev = math.max(room.rev, time[1] * 1000000 + time[2])
local now = room_clock(room)
local people = {}
local walked = 0 -- moves of journals since the first page

local function add(member, at, exact, left_at, trail)
    people[#people + 1] = { member, at, exact and 1 or 0, left_at, trail }
end

-- An acknowledgement, or the cursor's coming by, whichever was first.
local function add_acknowledged(entry)
    local cursor, _, _, joined, at, moves, _, tail = load_member(room, entry.member)
    local when, exact, left_at = entry.at, true, -1
    if not cursor or joined ~= entry.joined then
        _, left_at = ended_stay(room, entry.member, entry.joined)
        left_at = left_at or 0
    elseif cursor >= seq then
        local since_when, sure = reached(room, entry.member, cursor, at, moves, tail, seq)
        if since_when < when then
            when, exact = since_when, sure
        end
    end
    add(entry.member, when, exact, left_at, {})
end

local function trail_of(member, cursor, at, moves, tail)
    local trail = since >= 0 and moves_since(room, member, cursor, at, moves, tail, since) or {}
    walked = walked + #trail / 2
    return trail
end

-- Add the people that a page has found at `key` with `add`; if their journals get too long for one page, the first of them only.
-- Returns how many, and whether there are more behind them, with the place and name of the last.
local function add_found(key, found, more, add)
    for i, name in ipairs(found) do
        add(name, i)
        if walked >= MOST_WALKED and i < #found then
            place, last = tonumber(redis.call("ZSCORE", key, name)), name
            return limit, true
        end
    end
    return #found, more
end

local function is_acknowledged(member, joined)
    local entry = by_member[member]
    return entry and entry.joined == joined
end

local function add_member(member, record)
    local cursor, _, _, joined, at, moves, _, tail = read_record(record)
    if joined >= seq or is_acknowledged(member, joined) or (member == sender and joined == sender_joined) then
        return
    end
    local trail = trail_of(member, cursor, at, moves, tail)
    if wants_read then
        local when, exact = reached(room, member, cursor, at, moves, tail, seq)
        add(member, when, exact, -1, trail)
    else
        add(member, 0, true, -1, trail)
    end
end

local function add_leaver(stay)
    local member, began = string.match(stay, "^(.*)" .. SEPARATOR .. "(%d+)$")
    local joined = tonumber(began)
    if joined >= seq or is_acknowledged(member, joined) or (member == sender and joined == sender_joined) then
        return
    end
    local _, left_at = ended_stay(room, member, joined)
    local packed = redis.call("HGET", room.key, member) or redis.call("HGET", room.key .. ":x", member)
    local cursor, _, _, _, at, moves, _, tail = read_record(packed)
    local when, exact = reached(room, member, cursor, at, moves, tail, seq)
    local trail = trail_of(member, cursor, at, moves, tail)
    -- Where they stood matters even if they never moved: a page may have shown them before they left.
    add(member, when, exact, left_at, #trail == 0 and { cursor, 0 } or trail)
end

if wants_read and part == "q" then
    local done = math.max(place, 0)
    for i = done + 1, math.min(#acknowledged, done + limit) do
        add_acknowledged(acknowledged[i])
    end
    place = done + limit
    if place >= #acknowledged then
        limit = limit - math.max(#acknowledged - done, 0)
        part, place, last = "c", -1, ""
    else
        limit = 0
    end
end
if part ~= "y" and limit > 0 then
    local from, to = wants_read and seq or -1, wants_read and math.huge or seq - 1
    local found, more
    found, more, place, last = after(order, from, to, place, last, limit)
    local records = #found > 0 and redis.call("HMGET", room.key, unpack(found)) or {}
    local added
    added, more = add_found(order, found, more, function(member, i)
        add_member(member, records[i])
    end)
    limit = limit - added
    part = "c"
    if not more then
        part, place, last = wants_read and "y" or "", -1, ""
    end
end
if part == "y" and limit > 0 then
    local found, more
    found, more, place, last = after(room.key .. ":y", seq, math.huge, place, last, limit)
    more = select(2, add_found(room.key .. ":y", found, more, add_leaver))
    if not more then
        part = ""
    end
end
return {
    seq, sender, at_ms, read, unread, left, math.floor(room.born / 1000), revision, now,
    part, string.format("%.0f", place), last, people,
}
