-- damaged: values that something else has damaged are read as if there were none. The audit finds
-- and mends them; until then they must not fail a call that is about others.

-- What a function has returned that `pcall` has called; nothing if it failed. For functions that
-- run no command: an error of one of those must not be hidden.
local function unless_damaged(done, ...)
    if done then
        return ...
    end
end

-- The values that were packed one behind the other.
local function unpack_values(packed)
    return { unless_damaged(pcall(cmsgpack.unpack, packed)) }
end
