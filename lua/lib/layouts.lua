-- layouts: in which layout a value was written. It says so by its first byte: 128 and the number;
-- in layout 1 the first byte is below 128. A script that meets another layout is refused before it
-- writes. Then the caller migrates the key and calls again
-- (service/readstate/store/migration.py).

local function layout_of(packed)
    local first = string.byte(packed)
    return first < 128 and 1 or first - 128
end

-- Refuse the script: what `key` holds is of another layout.
local function refuse_layout(key, packed)
    error({ err = string.format("OTHER_LAYOUT %d %d %s", layout_of(packed), #key, key) })
end
