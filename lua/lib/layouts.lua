-- layouts: which layout a value was written in, and how to read values of earlier ones. A value says
-- it by its first byte: 128 and the number; in layout 1 it is below 128.
-- A script that meets another layout is refused before it writes, and the caller brings the key over
-- (service/readstate/store/bringing_over.py).

local function layout_of(packed)
    local first = string.byte(packed)
    return first < 128 and 1 or first - 128
end

-- Refuse the script: what `key` holds is of another layout.
local function refuse_layout(key, packed)
    error({ err = string.format("OTHER_LAYOUT %d %d %s", layout_of(packed), #key, key) })
end
