-- notices: what is published, as msgpack arrays whose first item is the kind
-- (service/readstate/domain/notices.py). Publish last.
--@include lib/reach
--@include lib/arrays

local function publish_packed(notice)
    redis.call("PUBLISH", "n:" .. APP, notice)
end

local function publish(...)
    publish_packed(pack_array(...))
end

local READ_LAYOUT = ">c6BBc0BBc0BBc0BI8"
local READ_BEGIN = "\149\164read" -- an array of five, the first "read"
local SHORT_STRING = 217 -- up to 255 bytes; ids have up to 128
local NUMBER = 207 -- of 8 bytes

-- The array { "read", room, member, message, seq }, made for every read and so with less work than
-- pack_array has.
local function read_notice(room, member, message, seq)
    return struct.pack(
        READ_LAYOUT, READ_BEGIN, SHORT_STRING, #room, room, SHORT_STRING, #member, member,
        SHORT_STRING, #message, message, NUMBER, seq
    )
end
