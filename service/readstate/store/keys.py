"""Every Redis key and channel of the service. Reading this file is reading the data model.

**Read state** lives in two kinds of cluster slots. What is in one slot changes together, in one
script. The scripts have the names of the keys in a slot from lua/lib/keys.lua; OfRoom, OfUser and
OfShard below are the same.

A room's slot, `{r:<app>:<room>}` (the truth):

    (bare)  hash    "" -> the head: revision, revision at which the room was created, seq, ordinal,
                    number of members, floor, seq of the floor, messages deleted one by one, highest
                    hole, oldest message remembered, buckets, term, flags, newest message,
                    tag set; its first byte is 128 and the number of the layout;
                    member -> their record: (marked, cursor, ordinal counted from, ordinal before
                    which they are told of posts, seq last really read, seq at which they joined,
                    time of the last move, number of moves) and the newest moves of their journal;
                    short while its numbers are low, else wide (lua/lib/members.lua)
    :a      set     of a large room: the attentive members, and perhaps some who no longer are
                    (lua/lib/attention.lua)
    :c      zset    member by cursor: who has read how far; of a room that is not large as it was
                    when last asked for, for an hour
    :b      zset    member by the seq at which they joined, of those who joined after the first
                    message that is remembered
    :j      hash    member<US>number -> a chunk of older moves of the member's journal
    :x      hash    stay -> (cursor, when it ended); member -> their record while they are away
    :y      zset    stay by the cursor at its end
    :e      zset    stay by the seq at its beginning; a stay is member<US>that seq
                    (lua/lib/stays.lua)
    :q      hash    seq -> who acknowledged this very message: (member, where they had joined,
                    time), ...
    :u      hash    member -> seq from which they marked the room unread (lua/lib/marks.lua);
                    member<US> -> Unix ms up to which they have read (lua/lib/until.lua);
                    <US> -> the lowest ordinal that a count was set to by hand, or from
                    (lua/lib/set_counts.lua)
    :l      hash    number of a chunk -> its 16 messages: (kind, ordinal, sender, Unix ms, message
                    id), ... of the newest `message_history`. The first and the last of a row of
                    hidden messages, deleted or posted so, have the seq at its other end too;
                    s<number> -> (where they had joined, sender), ... of 128 messages
                    (lua/lib/log_chunks.lua);
                    i<number of a bucket> -> (hash of a message id, seq), ... as far as the
                    messages are remembered (lua/lib/message_index.lua);
                    g -> (first, last seq), ... left out by jumps (lua/lib/terms.lua)
    :d      zset    seqs that were deleted one by one, as far as their messages are remembered
    :h      zset    holes: ordinals that were deleted or recalled one by one (lua/lib/holes.lua)
    :f      hash    profile field -> JSON text
    :g      hash    the members of a large room that was deleted, as they were, until they have been
                    updated; for a day
    :n      set     who is invited, and is no member yet
    :o      hash    member -> revision still pending for that member's slot (split plan only; empty
                    at rest)
    :w      hash    revision -> event not yet handed over to the deliverers of webhooks (split plan
                    only; empty at rest)
    :p      list    the latest notices, while members who have just joined may be heard late: 5 s
                    (lua/lib/notices.lua)
    :t      hash    "" -> the head of a room that is being imported, until it is put in its place;
                    i -> the import that it is of. With :t:l, :t:d, :t:h, :t:q, :t:f and :t:n, what
                    is there of its messages and profile; for a week (lua/lib/staging.lua)
    :v      string  how far the room has been migrated from an earlier layout; with :r and :k,
                    hashes of which the values are still to be migrated. :i was the index of
                    message ids of layout 1 (lua/lib/migrating.lua)

A user's slot, `{u:<app>:<user>}` (a stamped copy of the rooms, and sums over it):

    (bare)  hash    "" -> the sums: version, total unread, whether there are rooms with news,
                    number of derived rooms;
                    r<room> -> (revision, cursor, unread, state, version, tag set), short while the
                    numbers are low, else wide (lua/lib/copies.lua);
                    t<tag>, s<tag set> -> unread
    :s      hash    tag set -> how many counted rooms carry exactly this set
    :k      hash    tag -> how many of these sets it is in; "" -> the weight of the sets
                    (lua/lib/tag_sets.lua)
    :d      set     derived rooms: unread is asked of the room, always
    :n      zset    rooms with news, by the revision of the news: the copy lags until the user asks
    :g      zset    rooms that were left, by revision; their stamps go after an hour
    :p      hash    profile field -> JSON text
    :t      hash    token id -> issued token
    :e      string  while the user is being erased: the name that stands in for theirs

The head of a deleted room stays for a day, so that late updates are recognised as old; nothing else
of it does, once its members have been updated. A user who is in no room has a side for one more
day.

**Everything else** has slots of its own:

    a:apps                 hash    app -> keys, of all but the first app
    a:generations          hash    app -> the generation of its tokens; stays when the app is
                                   removed
    a:workers              zset    digests of the keys that each running worker has, the layout and
                                   the library of its functions, by the time of its last note in
                                   ms
    {a:<app>}:o            string  SHA-256 of the API key before, for as long as it is accepted
    {a:<app>}:v            zset    revocations by position, a time in ms that no two calls share
    {t:<app>:<digest>}     string  a custom token; expires by itself
    {m:<app>:<message>}    string  the room of a message, for a day
    {q:<app>:<what>}       string  calls in a window of time
    {l:<app>:<digest>}     string  when something happened last, for 30 days
    {w:<shard>}            stream  events for webhooks, and what becomes of them
                                   (lua/lib/events.lua):
        :q :t  hash, zset  membership (a member in a room) -> its newest event, and when it is due
        :d     zset        membership by the revision that was delivered last
        :x     hash        membership -> dead letter
        :h     string      the deliverer that holds the shard
    {w:}                   zset    deliverers, by the time their leases end; with :g, the receiver
                                   that wants no more events
    {o:<shard>}            zset    rooms with pending updates, perhaps, by the ms (of the store's
                                   clock) at which they were entered; with :w, who walks it (split
                                   plan only)

    {readstate:<n>}:layout string  the number of the layout of a node's data, and the slots in which
                                   nothing of an earlier one is left (store/layout.py); <n> puts it
                                   into the first slot of the node
    {readstate:<n>}:mark   hash    mark -> the node's data id, a random word that stays with
                                   its data;
                                   emptied -> when a worker saw that they had gone
                                   (store/emptied_nodes.py)
    {readstate}:layout     string  held by the worker that migrates the rest
    {readstate:<n>}:primary string the replication id under which the rooms and copies of a node
                                   were last known to agree (store/failovers.py; split plan only)
    {readstate}:failover   string  held by the worker that makes them agree after a failover
    {readstate}:pending    string  there while it is too early to look for forgotten pending updates

Each room and each user has a sharded channel, which is named like the bare key. At the start it is
tried on the key `{readstate}:trial` whether all that is needed may be done.

`:0` and `:1` behind the key of a room, a user or a shard are never written. Scripts miss them where
a slot is on its way to another node (store/guards.py).

Ids stand in keys as they are. An app's name has no colon, so two ids never meet in one key.
"""

import hashlib
import zlib
from binascii import crc_hqx
from enum import StrEnum
from functools import cache
from itertools import count

SLOTS = 16384  # of a cluster; a single server has all of them
PENDING_SHARDS = 16
EVENT_SHARDS = 16


class OfRoom(StrEnum):
    """The keys of a room's slot, behind its bare key."""

    ATTENTIVE = ":a"
    BY_CURSOR = ":c"
    BY_JOINING = ":b"
    JOURNALS = ":j"
    LEAVERS = ":x"
    STAYS_BY_CURSOR = ":y"
    STAYS_BY_JOINING = ":e"
    ACKNOWLEDGEMENTS = ":q"
    UNREAD_OVERRIDES = ":u"
    MESSAGE_LOG = ":l"
    DELETED_SEQS = ":d"
    HOLES = ":h"
    PROFILE = ":f"
    DELETED_MEMBERS = ":g"
    INVITED = ":n"
    PENDING = ":o"
    PENDING_EVENTS = ":w"
    PHASE = ":v"
    UNMIGRATED = ":r"
    UNMIGRATED_PLACES = ":k"
    FIRST_PLACES = ":i"
    RECENT = ":p"
    STAGED = ":t"


class OfUser(StrEnum):
    """The keys of a user's slot, behind its bare key."""

    TAG_SETS = ":s"
    TAG_USES = ":k"
    DERIVED_ROOMS = ":d"
    NEWS = ":n"
    LEFT_ROOMS = ":g"
    USER_PROFILE = ":p"
    TOKENS = ":t"
    STAND_IN = ":e"


class OfShard(StrEnum):
    """The keys of a shard of events, behind its bare key, and of the deliverers."""

    WAITING = ":q"
    DUE = ":t"
    DELIVERED_REVISIONS = ":d"
    DEAD_LETTERS = ":x"
    HOLDER = ":h"
    REFUSING_TARGET = ":g"


ABSENT = (":0", ":1")  # behind a key of ours, and never written

_STAGED = tuple(
    OfRoom.STAGED + suffix
    for suffix in (
        OfRoom.ACKNOWLEDGEMENTS,
        OfRoom.MESSAGE_LOG,
        OfRoom.DELETED_SEQS,
        OfRoom.HOLES,
        OfRoom.PROFILE,
        OfRoom.INVITED,
    )
)
_BESIDE: dict[str, tuple[str, ...]] = {
    "{r:": (*OfRoom, *_STAGED),
    "{u:": tuple(OfUser),
    "{w:": tuple(OfShard),
}


class Keys:
    """The names of one deployment's keys and channels."""

    apps = "a:apps"
    generations = "a:generations"
    workers = "a:workers"
    every_room = "{r:*}"
    every_user = "{u:*}"
    deliverers = "{w:}"
    refusing_target = "{w:}" + OfShard.REFUSING_TARGET

    every_pending = ("{r:*}" + OfRoom.PENDING, "{r:*}" + OfRoom.PENDING_EVENTS)
    every_data_id = "{readstate:*}:mark"
    migration = "{readstate}:layout"
    reconciling = "{readstate}:failover"
    pending_looked_for = "{readstate}:pending"

    @staticmethod
    def room(app: str, room: str) -> str:
        return f"{{r:{app}:{room}}}"

    @staticmethod
    def user(app: str, user: str) -> str:
        return f"{{u:{app}:{user}}}"

    @staticmethod
    def user_profile(app: str, user: str) -> str:
        return f"{{u:{app}:{user}}}{OfUser.USER_PROFILE}"

    @staticmethod
    def user_tokens(app: str, user: str) -> str:
        return f"{{u:{app}:{user}}}{OfUser.TOKENS}"

    @staticmethod
    def bound_token(app: str, digest: str) -> str:
        return f"{{t:{app}:{digest}}}"

    @staticmethod
    def everything_of(app: str) -> str:
        """The pattern of an app's rooms and users."""
        return f"{{[ru]:{app}:*"

    @staticmethod
    def that_may_name_users(app: str) -> str:
        """The pattern of an app's keys outside the users' slots that may tell of a user: rooms, the
        rooms of messages, and windows of calls.
        """
        return f"{{[rmq]:{app}:*}}"

    @staticmethod
    def old_api_key(app: str) -> str:
        return f"{{a:{app}}}:o"

    @staticmethod
    def revocations(app: str) -> str:
        return f"{{a:{app}}}:v"

    @staticmethod
    def message(app: str, message: str) -> str:
        return f"{{m:{app}:{message}}}"

    @staticmethod
    def newest(app: str, what: str) -> str:
        """Of any text, which may hold what a key must not."""
        return f"{{l:{app}:{hashlib.sha256(what.encode()).hexdigest()}}}"

    @staticmethod
    def window(app: str, what: str) -> str:
        return f"{{q:{app}:{what}}}"

    @staticmethod
    def is_window_of(key: str, user: str) -> bool:
        """Whether calls of this user are counted there, whatever the call."""
        return key.startswith("{q:") and key[3:-1].split(":", 2)[2:] == [user]

    @staticmethod
    def events(shard: int) -> str:
        return f"{{w:{shard}}}"

    @staticmethod
    def dead_letters(shard: int) -> str:
        return f"{{w:{shard}}}{OfShard.DEAD_LETTERS}"

    @staticmethod
    def event_shard(room_key: str) -> int:
        """Where the events of a room go: all into one, so that they keep their order."""
        return zlib.crc32(room_key.encode()) % EVENT_SHARDS

    @staticmethod
    def pending_rooms(shard: int) -> str:
        return f"{{o:{shard}}}"

    @staticmethod
    def pending_rooms_watch(shard: int) -> str:
        """Held by the worker that walks the list."""
        return f"{{o:{shard}}}:w"

    @staticmethod
    def pending_rooms_of(room_key: str) -> str:
        """The list in which a room is entered while it may have pending members."""
        return Keys.pending_rooms(zlib.crc32(room_key.encode()) % PENDING_SHARDS)

    @staticmethod
    @cache
    def in_slot(slot: int) -> str:
        """A key of ours that lies in `slot`."""
        return next(f"{{readstate:{number}}}" for number in count() if Keys.slot(f"{{readstate:{number}}}") == slot)

    @staticmethod
    def slot(key: str) -> int:
        """Of a key of ours: its tag, if it has one, is at its beginning."""
        tag = key[1 : key.index("}")] if key.startswith("{") else key
        return crc_hqx(tag.encode(), 0) % SLOTS

    @staticmethod
    def beside(key: str) -> list[str]:
        """A key with which a script is called, and all that the script may reach from it."""
        return [key, *(key + suffix for suffix in _BESIDE.get(key[:3], ()))]

    @staticmethod
    def layout(slot: int) -> str:
        """Where the layout is noted of the node whose first slot this is."""
        return f"{Keys.in_slot(slot)}:layout"

    @staticmethod
    def primary(slot: int) -> str:
        """Where it is noted of the node with this first slot which primary was last reconciled."""
        return f"{Keys.in_slot(slot)}:primary"

    @staticmethod
    def data_id(slot: int) -> str:
        """The data id of the node whose first slot this is."""
        return f"{Keys.in_slot(slot)}:mark"

    @staticmethod
    def parse(key: str) -> tuple[str, str, str] | None:
        """(kind "r" or "u", app, id) of a room's or user's bare key; None for any other."""
        if not (key.startswith(("{r:", "{u:")) and key.endswith("}")):
            return None
        app, colon, name = key[3:-1].partition(":")
        return (key[1], app, name) if colon else None
