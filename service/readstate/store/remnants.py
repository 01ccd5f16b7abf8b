"""Where the store still tells of a user: the proof that they were erased.

All that is stored of an app is looked at, not only where a user's name should be; what is known to
be numbers, tags, or the app's own is left out, since it may look like a short id. An id counts as
found where it stands for itself: as a key's, field's or member's name, between separators, as a
packed or JSON text, or as a peer in the id of a one-to-one room.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec

from readstate.domain.direct import PREFIX
from readstate.store.executor import Executor, scan_hash, scan_members, scan_stream
from readstate.store.key_scan import KeyScan, ScanPosition
from readstate.store.keys import Keys, OfRoom, OfUser
from readstate.store.states import SEPARATOR

_AT_ONCE = 500
_LOOKED_AT_A_PAGE = 10_000  # keys, and the fields and members in them
_SHORT_TEXT = 32  # bytes; the first byte of a packed text that is shorter says its length
_SENDERS = b"s"  # what the fields of a room's log with ids of users begin with (lua/lib/keys.lua)
_US = SEPARATOR.encode()
_OF_APP = re.compile(r"\{[rutmqa]:([a-z0-9-]+)[:}]")  # keys that hold the name of their app
_SHARED = re.compile(r"\{[wo]:[0-9]+\}")  # lists of all apps, in which a name begins with its app

# What is in a room's keys: ids of users, perhaps with a number behind them, and numbers
_BY_MEMBER = frozenset(
    {
        *("", OfRoom.ATTENTIVE, OfRoom.BY_CURSOR, OfRoom.BY_JOINING, OfRoom.JOURNALS, OfRoom.LEAVERS),
        *(OfRoom.STAYS_BY_CURSOR, OfRoom.STAYS_BY_JOINING, OfRoom.UNREAD_OVERRIDES, OfRoom.DELETED_MEMBERS),
        *(OfRoom.INVITED, OfRoom.PENDING),
    }
)
_BY_NUMBER = frozenset({OfRoom.ACKNOWLEDGEMENTS, OfRoom.MESSAGE_LOG, OfRoom.PENDING_EVENTS})
_NUMBERS = frozenset({OfRoom.DELETED_SEQS, OfRoom.HOLES, OfRoom.PHASE, OfRoom.STAGED})

_Entry = Sequence[bytes]  # of a key's value: a name, or "" for none, and what it has


async def remnants(executor: Executor, app: str, user: str) -> AsyncIterator[str]:
    """The keys, and of hashes and sets the fields, that tell of a user; none after an erasure.

    What rooms have just published is left out: it ends by itself within 5 s. One may come twice.
    Raises what Executor.call does.
    """
    look = _Look(executor, app, user)
    scan = await KeyScan.begin(executor, "*")
    while scan.position:
        for key in await scan.step():
            async for remnant in look.in_key(key):
                yield remnant


async def some_remnants(
    executor: Executor, app: str, user: str, position: ScanPosition | None = None
) -> tuple[list[str], int, ScanPosition | None]:
    """Those in some of the keys, how much was looked at, and where the others are.

    A page ends behind the keys with which it is long enough.
    """
    look = _Look(executor, app, user)
    scan = await KeyScan.begin(executor, "*", position)
    found: list[str] = []
    while scan.position and look.looked_at < _LOOKED_AT_A_PAGE:
        keys = await scan.step()
        found += [remnant for key in keys async for remnant in look.in_key(key)]
        look.looked_at += KeyScan.AT_ONCE
    return found, look.looked_at, scan.position


class _Look:
    """A look for one user."""

    def __init__(self, executor: Executor, app: str, user: str) -> None:
        self._executor = executor
        self._app = app
        self._user = user
        self._tells = re.compile(b"|".join((*_own_forms(user), *_peer_forms(user))), re.DOTALL)
        self._names_peer = re.compile(b"|".join(_peer_forms(user)), re.DOTALL)
        self.looked_at = 0  # fields and members

    async def in_key(self, key: str) -> AsyncIterator[str]:
        """The remnants in a key."""
        whose = _OF_APP.match(key)
        if not (whose and whose[1] == self._app) and not _SHARED.match(key):
            return
        if key.startswith("{u:") and key[: key.rindex("}") + 1] == Keys.user(self._app, self._user):
            yield key
            return
        if key.startswith("{q:"):
            if Keys.is_window_of(key, self._user):
                yield key
            return
        if key.startswith("{r:") and key.endswith(OfRoom.RECENT):
            return
        async for entry in self._contents(key):
            self.looked_at += 1
            if self._tells_of_user(key, entry):
                yield f"{key} {entry[0].decode(errors='backslashreplace')}"

    def _tells_of_user(self, key: str, entry: _Entry) -> bool:
        kind = key[1]
        if kind in "wo":
            found = self._in_shared(kind, entry)
        elif kind == "r":
            found = _in_room(key, entry)
        elif kind == "m" or (kind == "u" and not key.endswith(OfUser.USER_PROFILE)):
            found = (), entry  # rooms, tags and numbers
        else:
            found = entry, ()
        texts, rooms = found
        return any(map(self._tells.search, texts)) or any(map(self._names_peer.search, (key.encode(), *rooms)))

    def _in_shared(self, kind: str, entry: _Entry) -> tuple[_Entry, _Entry]:
        """The texts and rooms in an entry of a list in which all apps are, if it is of the app."""
        app, separator, name = entry[0].partition(_US if kind == "w" else b":")
        if not separator or app.decode() != self._app:
            return (), ()
        if kind == "o":
            return (), (name,)
        room, separator, member = name.partition(_US)
        return ((member,), (room,)) if separator else (entry[1:], ())

    async def _contents(self, key: str) -> AsyncIterator[_Entry]:
        executor = self._executor
        kind = (await executor.command("TYPE", key, key=key)).decode()
        if kind == "hash":
            async for pair in scan_hash(executor, key, _AT_ONCE):
                yield pair
        elif kind == "string":
            yield b"", await executor.command("GET", key, key=key) or b""
        elif kind == "list":
            for item in await executor.command("LRANGE", key, 0, -1, key=key):
                yield b"", item
        elif kind == "stream":
            async for _, fields in scan_stream(executor, key, _AT_ONCE):
                for entry in _of_entry(fields):
                    yield entry
        elif kind in ("set", "zset"):
            async for name in scan_members(executor, key, _AT_ONCE, kind):
                yield (name,)


def _in_room(key: str, entry: _Entry) -> tuple[_Entry, _Entry]:
    """The texts in a room's key, and ids of rooms."""
    suffix = key[key.rindex("}") + 1 :]
    if suffix != OfRoom.STAGED:
        suffix = suffix.removeprefix(OfRoom.STAGED)
    name, *values = entry
    if suffix in _BY_MEMBER:
        return (name.partition(_US)[0],), ()
    if suffix in _NUMBERS or (suffix == OfRoom.MESSAGE_LOG and not name.startswith(_SENDERS)):
        return (), ()
    return values if suffix in _BY_NUMBER else entry, ()


def _of_entry(fields: Sequence[bytes]) -> Iterator[_Entry]:
    """An event in a stream: the app, with a separator as other names of events have it."""
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        yield name + _US, value


def _own_forms(user: str) -> Iterator[bytes]:
    """Patterns of an id that stands for itself."""
    name = user.encode()
    text, size = re.escape(name), len(name)
    yield rb"(?:\A|\x1f)" + text + rb"(?:\Z|\x1f)"
    # Lua packs a short text as a longer one, Python does not.
    if size < _SHORT_TEXT:
        yield re.escape(bytes([0xA0 | size])) + text
    yield re.escape(bytes([0xD9, size])) + text
    yield rb"\x00\x00[\x00-\xff]{3}" + re.escape(bytes([size])) + text  # among a room's senders
    yield re.escape(msgspec.json.encode(user))


def _peer_forms(user: str) -> Iterator[bytes]:
    """Patterns of the id of a one-to-one room."""
    text, prefix = re.escape(user.encode()), re.escape(PREFIX.encode())
    yield prefix + str(len(user)).encode() + b":" + text + b":"
    yield prefix + rb"[0-9]+:[^\x00-\x1f]{1,128}?:" + text + rb"(?:\Z|\}|[\x00-\x1f\x80-\xff])"
