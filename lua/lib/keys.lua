-- keys: the names of all keys in a slot, as what follows the slot's own key, and of the fields that
-- are not ids. service/readstate/store/keys.py says what each holds; a test compares the two files.

-- Of a room.
local ATTENTIVE = ":a"
local BY_CURSOR = ":c"
local BY_JOINING = ":b"
local JOURNALS = ":j"
local LEAVERS = ":x"
local STAYS_BY_CURSOR = ":y"
local STAYS_BY_JOINING = ":e"
local ACKNOWLEDGEMENTS = ":q"
local UNREAD_OVERRIDES = ":u"
local MESSAGE_LOG = ":l"
local DELETED_SEQS = ":d"
local HOLES = ":h"
local PROFILE = ":f"
local DELETED_MEMBERS = ":g"
local INVITED = ":n"
local PENDING = ":o"
local PENDING_EVENTS = ":w"
local PHASE = ":v"
local UNMIGRATED = ":r"
local UNMIGRATED_PLACES = ":k"
local FIRST_PLACES = ":i" -- of layout 1
local RECENT = ":p"
local STAGED = ":t" -- before the names of what is staged (lib/staging.lua)

-- Keys that are deleted with a room. The others hold what is still to be pushed after that.
local ROOM_CONTENTS = {
    ATTENTIVE, BY_CURSOR, BY_JOINING, JOURNALS, LEAVERS, STAYS_BY_CURSOR, STAYS_BY_JOINING, ACKNOWLEDGEMENTS,
    UNREAD_OVERRIDES, MESSAGE_LOG, DELETED_SEQS, HOLES, PROFILE, INVITED,
} -- kept

-- Of a user.
local TAG_SETS = ":s"
local TAG_USES = ":k"
local DERIVED_ROOMS = ":d"
local NEWS = ":n"
local LEFT_ROOMS = ":g"

-- Of a shard of events, and of the deliverers.
local WAITING = ":q"
local DUE = ":t"
local DELIVERED_REVISIONS = ":d"
local DEAD_LETTERS = ":x"
local HOLDER = ":h"
local REFUSING_TARGET = ":g"

-- Fields of hashes. No id, tag or tag set is empty.
local HEAD = "" -- of a room; every other field is a member
local SUMS = "" -- of a user; every other field begins with one of the next three
local COPY_OF = "r" -- a room
local UNREAD_OF_TAG = "t"
local UNREAD_OF_TAG_SET = "s"
local SENDERS_OF = "s" -- some of MESSAGE_LOG
local BUCKET_OF = "i" -- of the index, in MESSAGE_LOG; every other field of it but the next is the number of a chunk
local JUMPS = "g" -- in MESSAGE_LOG too
local WEIGHT = "" -- of TAG_USES; every other field is a tag
local IMPORT = "i" -- of STAGED, beside HEAD

local SEPARATOR = "\31" -- between the parts of a field; control characters are refused in ids and tags
