-- packed_ids: message ids as they are stored. 24 hexadecimal digits and UUIDs, both in lower
-- case, are packed into less room than their text. Any other id stands as it is.

local AS_TEXT = 0
local AS_DIGITS = 1 -- 12 bytes
local AS_UUID = 2 -- 16 bytes

local DIGITS_LAYOUT = ">I6I6"
local DIGITS_TEXT = "%012x%012x"
local UUID_LAYOUT = ">I4I2I2I2I6"
local UUID_TEXT = "%08x-%04x-%04x-%04x-%012x"

-- The id that was packed in this way.
local function unpack_id(packing, packed)
    if packing == AS_DIGITS then
        return string.format(DIGITS_TEXT, struct.unpack(DIGITS_LAYOUT, packed))
    end
    if packing == AS_UUID then
        return string.format(UUID_TEXT, struct.unpack(UUID_LAYOUT, packed))
    end
    return packed
end

-- Packing and bytes of an id. An id that would not come back as the same text is not packed: one in
-- upper case, say.
local function pack_id(message)
    if #message == 24 then
        local high, low = tonumber(string.sub(message, 1, 12), 16), tonumber(string.sub(message, 13), 16)
        if high and low and string.format(DIGITS_TEXT, high, low) == message then
            return AS_DIGITS, struct.pack(DIGITS_LAYOUT, high, low)
        end
    elseif #message == 36 then
        local a, b, c, d, e = string.match(message, "^(%x+)-(%x+)-(%x+)-(%x+)-(%x+)$")
        if a then
            a, b, c, d, e = tonumber(a, 16), tonumber(b, 16), tonumber(c, 16), tonumber(d, 16), tonumber(e, 16)
            if string.format(UUID_TEXT, a, b, c, d, e) == message then
                return AS_UUID, struct.pack(UUID_LAYOUT, a, b, c, d, e)
            end
        end
    end
    return AS_TEXT, message
end
