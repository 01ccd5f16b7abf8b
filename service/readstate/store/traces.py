"""Where the store still tells of a user: the proof that they were erased.

All that is stored is looked at, not only where a user's name should be. An id counts as found
where it stands for itself: as a key's, field's or member's name, between separators, as a packed or
JSON text, or as a peer in the id of a one-to-one room.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec

from readstate.domain.direct import PREFIX
from readstate.store.executor import Executor, scan_hash, scan_members
from readstate.store.keys import OfRoom
from readstate.store.walk import Place, Walk

_AT_ONCE = 100
_KEYS_A_PAGE = 2_000
_SHORT_TEXT = 32  # bytes; the first byte of a packed text that is shorter says its length
_OF_APP = re.compile(r"\{[rutmqla]:([a-z0-9-]+)[:}]")  # keys that hold the name of their app


async def traces(executor: Executor, app: str, user: str) -> AsyncIterator[str]:
    """The keys, and of hashes and sets the fields, that tell of a user; none after an erasure.

    What rooms have just published is left out: it ends by itself within 5 s. Raises what
    Executor.call does.
    """
    pattern = _pattern(user)
    walk = await Walk.begin(executor, "*")
    while walk.place:
        for key in await walk.step():
            async for trace in _in_key(executor, app, user, pattern, key):
                yield trace


async def some_traces(
    executor: Executor, app: str, user: str, place: Place | None = None
) -> tuple[list[str], int, Place | None]:
    """Those in some of the keys, how many keys these are, and where the others are."""
    pattern = _pattern(user)
    walk = await Walk.begin(executor, "*", place)
    found: list[str] = []
    looked_at = 0
    while walk.place and looked_at < _KEYS_A_PAGE:
        keys = await walk.step()
        found += [trace for key in keys async for trace in _in_key(executor, app, user, pattern, key)]
        looked_at += Walk.AT_ONCE
    return found, looked_at, walk.place


async def _in_key(executor: Executor, app: str, user: str, pattern: re.Pattern[bytes], key: str) -> AsyncIterator[str]:
    whose = _OF_APP.match(key)
    if (whose and whose[1] != app) or (key.startswith("{r:") and key.endswith(OfRoom.RECENT)):
        return
    if key.startswith(f"{{u:{app}:{user}}}") or (key.startswith("{q:") and key.endswith(f":{user}}}")):
        yield key
        return
    async for parts in _contents(executor, key):
        if _is_of_app(key, parts[0], app) and any(map(pattern.search, [key.encode(), *parts])):
            yield f"{key} {parts[0].decode(errors='backslashreplace')}"


def _is_of_app(key: str, name: bytes, app: str) -> bool:
    """Events of all apps stand beside one another."""
    return not key.startswith("{w:") or b"\x1f" not in name or name.startswith(app.encode() + b"\x1f")


def _pattern(user: str) -> re.Pattern[bytes]:
    name = user.encode()
    text = re.escape(name)
    size = len(name)
    # Lua packs a short text as a longer one, Python does not.
    short = re.escape(bytes([0xA0 | size])) + text if size < _SHORT_TEXT else rb"(?!)"
    prefix = re.escape(PREFIX.encode())
    forms = (
        rb"(?:\A|\x1f)" + text + rb"(?:\Z|\x1f)",
        short,
        re.escape(bytes([0xD9, size])) + text,
        rb"\x00\x00[\x00-\xff]{3}" + re.escape(bytes([size])) + text,  # among a room's senders
        re.escape(msgspec.json.encode(user)),
        prefix + str(len(user)).encode() + b":" + text + b":",
        prefix + rb"[0-9]+:[^\x00-\x1f]{1,128}?:" + text + rb"(?:\Z|\}|[\x00-\x1f\x80-\xff])",
    )
    return re.compile(b"|".join(forms), re.DOTALL)


async def _contents(executor: Executor, key: str) -> AsyncIterator[Sequence[bytes]]:
    """The parts of a key's value: a name, or "" for none, and what it has."""
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
        for entry in await executor.command("XRANGE", key, "-", "+", key=key):
            for parts in _of_entry(entry):
                yield parts
    elif kind in ("set", "zset"):
        async for name in scan_members(executor, key, _AT_ONCE, kind):
            yield (name,)


def _of_entry(entry: Any) -> Iterator[Sequence[bytes]]:
    """An event in a stream: the app, with a separator as other names of events have it."""
    _, fields = entry
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        yield name + b"\x1f", value
