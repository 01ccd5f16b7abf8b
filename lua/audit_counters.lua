#!lua
-- audit_counters: recompute a user's counters from the copies, and mend them when asked to.
--
-- Key        user
-- Args       repair flag
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
--            how many counters were compared, and those that differ; values as digits, "" for none
-- Cost       commands <= 8 + rooms * (2 + 2 * tags), turns <= 24 + rooms * (18 + 17 * tags)
--@include lib/user
--@include lib/audit
--@include lib/expected_counters

local found = expected_counters(key)

-- Compare two tables of name -> value; `write(name, value)` mends one, "" for absent.
local function compare_all(kind, stored, expected, write)
    local names = {}
    for name in pairs(stored) do
        names[name] = true
    end
    for name in pairs(expected) do
        names[name] = true
    end
    for name in pairs(names) do
        local wanted = shown(expected[name])
        compare(kind .. name, stored[name], wanted, function()
            write(name, wanted)
        end)
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

compare_all("", found.stored, found.counters, write_hash(key))
local version, total, news, derived, forgotten = unless_damaged(pcall(read_sums, found.sums))
version, forgotten = version or 0, forgotten or 0
local with_news = redis.call("EXISTS", key .. NEWS)
local sums = {
    total = shown(total or DAMAGED_VALUE),
    derived = shown(derived or DAMAGED_VALUE),
    news = shown(news or DAMAGED_VALUE),
}
compare_all("", sums, { total = found.total, derived = found.derived_count, news = with_news }, function()
    redis.call("HSET", key, SUMS, pack_sums(version, found.total, with_news, found.derived_count, forgotten))
end)
compare_all("set:", load_hash(key .. TAG_SETS), found.sets, write_hash(key .. TAG_SETS))
local uses = load_hash(key .. TAG_USES)
-- Where an older version has written there is no TAG_USES yet, which is no difference.
if next(uses) then
    compare_all("tag:", uses, tags_of_sets(names_in(found.sets)), write_hash(key .. TAG_USES))
end
compare_all("derived:", as_names(redis.call("SMEMBERS", key .. DERIVED_ROOMS)), found.derived, function(room, value)
    redis.call(value == "" and "SREM" or "SADD", key .. DERIVED_ROOMS, room)
end)
local left = redis.call("ZRANGE", key .. LEFT_ROOMS, 0, -1, "WITHSCORES")
compare_all("gone:", pairs_of(left), found.gone, function(room, revision)
    if revision == "" then
        redis.call("ZREM", key .. LEFT_ROOMS, room)
    else
        redis.call("ZADD", key .. LEFT_ROOMS, revision, room)
    end
end)
compare("expiry", found.rooms > 0 and math.max(redis.call("TTL", key), 0) or 0, 0, function()
    redis.call("PERSIST", key)
    redis.call("PERSIST", key .. LEFT_ROOMS)
end)
return { compared, differences }
