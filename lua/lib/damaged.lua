-- damaged: values that something else has damaged are read as if there were none. The audit finds
-- and mends them; until then they must not fail a call that is about others.

-- The values that were packed one behind the other.
local function unpack_values(packed)
    local values = packed == "" and { true } or { pcall(cmsgpack.unpack, packed) }
    return table.remove(values, 1) and values or {}
end

-- What a function has returned that `pcall` has called; nothing if it failed. For functions that
-- run no command: an error of one of those must not be hidden.
local function unless_damaged(done, ...)
    if done then
        return ...
    end
end
