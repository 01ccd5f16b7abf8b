-- text: whether bytes are a text that an id, a tag or a sender can be.

-- What valid characters of several bytes look like in UTF-8.
local WIDE_CHARACTERS = {
    "\240[\144-\191][\128-\191][\128-\191]", "[\241-\243][\128-\191][\128-\191][\128-\191]",
    "\244[\128-\143][\128-\191][\128-\191]", "\224[\160-\191][\128-\191]",
    "[\225-\236\238\239][\128-\191][\128-\191]", "\237[\128-\159][\128-\191]", "[\194-\223][\128-\191]",
} -- kept

-- UTF-8 without control characters.
local function is_text(bytes)
    for _, wide in ipairs(WIDE_CHARACTERS) do
        bytes = string.gsub(bytes, wide, "")
    end
    return not string.find(bytes, "[%z\1-\31\127-\255]")
end
