-- arrays: lists of values, and msgpack arrays of up to 15 items.

local NONE = {} -- kept

-- The array of these items, as cmsgpack.pack makes it of a table, but without making the table: its
-- first byte, and the items one by one.
local function pack_array(...)
    return string.char(144 + select("#", ...)) .. cmsgpack.pack(...)
end

local function append(list, ...)
    local behind = #list
    for i = 1, select("#", ...) do
        list[behind + i] = (select(i, ...))
    end
end
