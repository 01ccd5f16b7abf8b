-- arrays: msgpack arrays of up to 15 items.

-- What cmsgpack.pack makes of a table with these items, without making the table: the array's first
-- byte, and the items one by one.
local function pack_array(...)
    return string.char(144 + select("#", ...)) .. cmsgpack.pack(...)
end
