"""Which workers use this store, which functions they call, and whether they all have the same keys.

Services on several machines must be given the same secrets: otherwise some of them refuse what
others accept, with 401 and 403. So each worker notes digests of its keys beside the data. They are
cut to two bytes: enough to tell two keys apart, too little to find a key by guessing.
"""

import hmac
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from readstate.settings.fields import Fields
from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.functions import delete_functions
from readstate.store.keys import Keys
from readstate.store.noted_layout import LAYOUT
from readstate.tasks import repeat

NOTE_EVERY_S = 30.0
FORGOTTEN_AFTER_S = 120.0  # by the store's clock; a worker that stops in order is forgotten at once

_DIGEST_BYTES = 2

logger = logging.getLogger(__name__)


class Key(Struct, frozen=True):
    """A key of the settings, and another one ("" for none) that is accepted as well."""

    present: str
    old: str = ""


class _Note(Struct, frozen=True, array_like=True):
    """What a worker says of itself."""

    worker: str  # random
    digests: dict[str, tuple[bytes, bytes]]  # setting -> of the present key and of the old one, b"" for none
    layout: int = 1  # that it reads and writes
    lib: str = ""  # the library of its functions; "": an earlier version, which does not say


_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_note = msgspec.msgpack.Decoder(_Note).decode


class Workers:
    """This worker's note, and what the notes of the others say.

    `keys`: those that must be the same everywhere, by setting.
    """

    def __init__(self, executor: Executor, keys: Mapping[str, Key]) -> None:
        self._executor = executor
        self._mine = _Note(secrets.token_hex(8), _digests(keys), LAYOUT, executor.scripts["apply"].lib.name)
        self._differing: list[str] = []

    def warnings(self) -> list[str]:
        """A sentence for each setting that a worker of the last two minutes has differently."""
        return [_differs(name) for name in self._differing]

    async def begin(self) -> None:
        """Note this worker, and delete the functions that no living worker calls.

        Raises what Executor.call does.
        """
        used = {note.lib if note else "" for note in map(_read, await self.note())}
        if "" not in used:
            await delete_functions(self._executor, used=used)

    async def note(self) -> Sequence[bytes]:
        """Note this worker again. Returns the notes of all. To be called every NOTE_EVERY_S.

        Raises what Executor.call does.
        """
        life_ms = int(FORGOTTEN_AFTER_S * 1000)
        notes = await self._executor.call(lua.note_worker(life_ms=life_ms, note=_pack(self._mine)), Keys.workers)
        before = set(self.warnings())
        self._differing = _compare(self._mine.digests, filter(None, map(_read, notes)))
        for warning in self.warnings():
            if warning not in before:
                logger.warning(warning)
        return notes

    async def keep_noting(self) -> None:
        """Call `note` until cancelled."""
        failed = "the notes of the other workers could not be read"
        await repeat(self.note, NOTE_EVERY_S, logger, failed, at_once=False)

    async def withdraw(self) -> None:
        """This worker ends."""
        await self._executor.command("ZREM", Keys.workers, _pack(self._mine), key=Keys.workers)


def shared_keys(settings: Fields) -> dict[str, Key]:
    """The keys that must be the same in all services on a store, by setting."""
    return {
        "READSTATE_API_KEY": Key(settings.api_key, settings.old_api_key),
        "READSTATE_CLIENT_KEY": Key(settings.client_key, settings.old_client_key),
        "READSTATE_TOKEN_SECRET": Key(settings.token_secret, settings.old_token_secret),
    }


async def workers_at_work(executor: Executor, keys: Mapping[str, Key]) -> tuple[int, list[str]]:
    """How many workers are at work, and `Workers.warnings` of one with these keys. Writes nothing.

    Raises what Executor.command does.
    """
    notes = await _notes(executor)
    return len(notes), [_differs(name) for name in _compare(_digests(keys), notes)]


async def earlier_workers(executor: Executor) -> int:
    """How many workers of an earlier layout are at work. Raises what Executor.command does."""
    return sum(note.layout < LAYOUT for note in await _notes(executor))


async def _notes(executor: Executor) -> list[_Note]:
    """The notes of the last two minutes."""
    seconds, _ = await executor.command("TIME", key=Keys.workers)
    since_ms = int((int(seconds) - FORGOTTEN_AFTER_S) * 1000)
    notes = await executor.command("ZRANGEBYSCORE", Keys.workers, since_ms, "+inf", key=Keys.workers)
    return [note for note in map(_read, notes) if note is not None]


def _compare(mine: Mapping[str, tuple[bytes, bytes]], notes: Iterable[_Note]) -> list[str]:
    """The settings that differ in some note, unless an old key on either side explains it."""
    others = [note.digests for note in notes]
    return [
        name
        for name, digests in mine.items()
        if any(_differ(digests, other[name]) for other in others if name in other)
    ]


def _differs(name: str) -> str:
    return f"another service uses this store with another {name}; give them the same one (docs/keys.md)"


def _differ(mine: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> bool:
    """Whether neither side accepts the other's present key."""
    return mine[0] not in other and other[0] not in mine


def _read(note: bytes) -> _Note | None:
    try:
        return _note(note)
    except msgspec.DecodeError:  # of another version
        return None


def _digests(keys: Mapping[str, Key]) -> dict[str, tuple[bytes, bytes]]:
    return {name: (_digest(name, key.present), _digest(name, key.old)) for name, key in keys.items()}


def _digest(name: str, key: str) -> bytes:
    return hmac.digest(key.encode(), name.encode(), "sha256")[:_DIGEST_BYTES] if key else b""
