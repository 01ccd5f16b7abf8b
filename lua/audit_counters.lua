#!lua
-- audit_counters: recompute a user's counters from the copies, and mend them when asked to.
--
-- Key        user
-- Args       repair flag
--
-- Reply      { compared int, differences [counter, stored, expected] }   how many counters were
--            compared, and those that differ, values as digits, "" for absent
-- Cost       commands <= 8 + rooms * (2 + 2 * tags), turns <= 24 + rooms * (18 + 17 * tags)
--@include lib/user
--@include lib/arrays
--@include lib/expected_counters

local function digits(number)
    return string.format("%.0f", number)
end

local found = expected_counters(key)
local compared, differences = 0, {}

-- Compare two tables of name -> value; `write(name, value)` mends one, "" for absent.
local function compare(kind, stored, expected, write)
    local names = {}
    for name in pairs(stored) do
        names[name] = true
    end
    for name in pairs(expected) do
        names[name] = true
    end
    for name in pairs(names) do
        local have, wanted = stored[name] or "", expected[name] and digits(expected[name]) or ""
        compared = compared + 1
        if have ~= wanted then
            append(differences, kind .. name, have, wanted)
            if repair then
                write(name, wanted)
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

compare("", found.stored, found.counters, write_hash(key))
local version, total, news, derived = read_sums(found.sums)
local with_news = redis.call("EXISTS", key .. NEWS)
local sums = { total = digits(total), derived = digits(derived), news = digits(news) }
compare("", sums, { total = found.total, derived = found.derived_count, news = with_news }, function()
    redis.call("HSET", key, SUMS, pack_sums(version, found.total, with_news, found.derived_count))
end)
compare("set:", load_hash(key .. TAG_SETS), found.sets, write_hash(key .. TAG_SETS))
local uses = load_hash(key .. TAG_USES)
-- Where an older version has written there is no TAG_USES yet, which is no difference.
if next(uses) then
    compare("tag:", uses, tags_of_sets(names_in(found.sets)), write_hash(key .. TAG_USES))
end
compare("derived:", as_names(redis.call("SMEMBERS", key .. DERIVED_ROOMS)), found.derived, function(room, value)
    redis.call(value == "" and "SREM" or "SADD", key .. DERIVED_ROOMS, room)
end)
compare("gone:", as_names(redis.call("ZRANGE", key .. LEFT_ROOMS, 0, -1)), found.gone, function(room, value)
    if value == "" then
        redis.call("ZREM", key .. LEFT_ROOMS, room)
    else
        local revision = read_copy(redis.call("HGET", key, COPY_OF .. room))
        redis.call("ZADD", key .. LEFT_ROOMS, revision, room)
    end
end)
return { compared, differences }
