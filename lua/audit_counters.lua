#!lua
-- audit_counters: recompute a user's counters from the copies; the differences, mended when asked to.
--
-- KEYS[1]    user
-- ARGV[1]    repair   1 or 0
--
-- Reply      { compared, counter, stored, expected, ... }   how many counters were compared, and those that differ, values as
--                                                           strings, "" for absent
-- Cost       commands <= 8 + rooms * (2 + 2 * tags), turns <= 24 + rooms * (18 + 17 * tags)
--@include lib/user

local key = KEYS[1]
local expected, total, in_derived = {}, 0, 0
local sets, derived, gone = {}, {}, {}
local flat = redis.call("HGETALL", key)
for i = 1, #flat, 2 do
    if string.sub(flat[i], 1, 1) == "r" then
        local _, _, unread, state, _, tags = read_copy(flat[i + 1])
        local room = string.sub(flat[i], 2)
        if state == DERIVED then
            in_derived, derived[room] = in_derived + 1, "1"
        elseif state == GONE then
            gone[room] = "1"
        elseif state == ACTIVE then
            total = total + unread
            if tags ~= "" then
                sets[tags] = (sets[tags] or 0) + 1
                expected["s" .. tags] = (expected["s" .. tags] or 0) + unread
                for tag in each_tag(tags) do
                    expected["t" .. tag] = (expected["t" .. tag] or 0) + unread
                end
            end
        end
    end
end

local reply = { 0 }
local function compare(kind, stored, wanted, write)
    local names = {}
    for name in pairs(stored) do
        names[name] = true
    end
    for name in pairs(wanted) do
        names[name] = true
    end
    for name in pairs(names) do
        reply[1] = reply[1] + 1
        local value = wanted[name] and string.format("%.0f", wanted[name]) or ""
        if (stored[name] or "") ~= value then
            for _, item in ipairs({ kind .. name, stored[name] or "", value }) do
                reply[#reply + 1] = item
            end
            if ARGV[1] == "1" then
                write(name, value)
            end
        end
    end
end

local function write_hash(target)
    return function(name, value)
        if value == "" then
            redis.call("HDEL", target, name)
        else
            redis.call("HSET", target, name, value)
        end
    end
end

local function members_of(list)
    local found = {}
    for _, name in ipairs(list) do
        found[name] = "1"
    end
    return found
end

local counters, sums = {}, nil
for i = 1, #flat, 2 do
    if flat[i] == SUMS then
        sums = flat[i + 1]
    elseif string.sub(flat[i], 1, 1) ~= "r" then
        counters[flat[i]] = flat[i + 1]
    end
end
compare("", counters, expected, write_hash(key))

local version, stored_total, stored_derived = read_sums(sums)
local stored = { total = string.format("%.0f", stored_total), derived = string.format("%.0f", stored_derived) }
compare("", stored, { total = total, derived = in_derived }, function()
    redis.call("HSET", key, SUMS, pack_sums(version, total, in_derived))
end)

local stored_sets = {}
local flat_sets = redis.call("HGETALL", key .. ":s")
for i = 1, #flat_sets, 2 do
    stored_sets[flat_sets[i]] = flat_sets[i + 1]
end
compare("set:", stored_sets, sets, write_hash(key .. ":s"))
local names = {}
for set in pairs(sets) do
    names[#names + 1] = set
end
local stored_tags = {}
local flat_tags = redis.call("HGETALL", key .. ":k")
for i = 1, #flat_tags, 2 do
    stored_tags[flat_tags[i]] = flat_tags[i + 1]
end
-- Where an older version has written there is no :k yet, which is no difference.
if #flat_tags > 0 then
    compare("tag:", stored_tags, tags_of_sets(names), write_hash(key .. ":k"))
end
compare("derived:", members_of(redis.call("SMEMBERS", key .. ":d")), derived, function(room, value)
    redis.call(value == "" and "SREM" or "SADD", key .. ":d", room)
end)
compare("gone:", members_of(redis.call("ZRANGE", key .. ":g", 0, -1)), gone, function(room, value)
    if value == "" then
        redis.call("ZREM", key .. ":g", room)
    else
        local rev = read_copy(redis.call("HGET", key, "r" .. room))
        redis.call("ZADD", key .. ":g", rev, room)
    end
end)
return reply
