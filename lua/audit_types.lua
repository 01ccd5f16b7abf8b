#!lua
-- audit_types: whether the keys of a slot have the types that they must have. One of another type
-- is deleted when asked to: what it held is lost, and found missing by the rest of the audit.
--
-- Key        room or user
-- Args       repair flag, ...types (suffix, type)
--
-- Reply      { compared int, there [suffix bytes], differences [what bytes, stored bytes,
--              expected bytes] }
--            there: the keys that there are; differences: values as text, "" for none
-- Cost       commands <= 2 * keys, turns <= 12 * keys
--            keys: of which types are asked
--@include lib/audit

local there = {}
for i = 1, #types, 2 do
    local name = key .. types[i]
    local found = redis.call("TYPE", name).ok
    if found ~= "none" then
        there[#there + 1] = types[i]
        compare("type " .. types[i], found, types[i + 1], function()
            redis.call("UNLINK", name)
        end)
    end
end
return { compared, there, differences }
