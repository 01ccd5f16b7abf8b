-- notices: what is published of a room, on the channel named like its bare key: msgpack arrays. The
-- first two items are the kind and the room (service/readstate/domain/notices.py). Publish last.
--@include lib/room
--@include lib/reach
--@include lib/arrays

local MOST_RECENT = 256

-- A worker may begin late to hear a room that a user has just joined. It is told what was kept
-- (lib/membership.lua).
local function keep_recent(room, notice)
    local kept = redis.call("RPUSHX", room.key .. RECENT, notice)
    if kept > 0 and kept <= MOST_RECENT then
        return
    end
    redis.call("UNLINK", room.key .. RECENT)
    room.recorded = false
    save_head(room)
end

local function publish_packed(room, notice)
    redis.call("SPUBLISH", room.key, notice)
    if room.recorded then
        keep_recent(room, notice)
    end
end

local function publish(room, kind, ...)
    publish_packed(room, pack_array(kind, room_id(room.key), ...))
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
