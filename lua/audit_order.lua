#!lua
-- audit_order: strangers in the lists of a room's members: the order, the attentive ones, those by
-- joining, and the invited ones who are members by now.
--
-- Key        room
-- Args       repair flag, ...names
--            names: that these lists have
--
-- Reply      { compared int, differences [what bytes, stored bytes, expected bytes] }
-- Cost       commands <= 1 + 7 * names, turns <= 11 * names
--@include lib/audit
--@include lib/room

local room = existing_room(key)
for _, name in ipairs(room and names or {}) do
    local is_member = name ~= HEAD and redis.call("HEXISTS", key, name) == 1
    local function strike_out(what, command, set)
        compare(of(what, name), 1, 0, function()
            redis.call(command, key .. set, name)
        end)
    end

    compared = compared + 1
    if not is_member and redis.call("ZSCORE", key .. BY_CURSOR, name) then
        strike_out("order", "ZREM", BY_CURSOR)
    end
    if not is_member and redis.call("SISMEMBER", key .. ATTENTIVE, name) == 1 then
        strike_out("attentive", "SREM", ATTENTIVE)
    end
    if not is_member and redis.call("ZSCORE", key .. BY_JOINING, name) then
        strike_out("joining", "ZREM", BY_JOINING)
    end
    if is_member and redis.call("SISMEMBER", key .. INVITED, name) == 1 then
        strike_out("invited", "SREM", INVITED)
    end
end
return { compared, differences }
