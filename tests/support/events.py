"""Events as scripts write them, without a read of a room."""

import asyncio
import itertools
import time

from readstate.domain.events import ReadEvent
from readstate.domain.notices import CursorMoved, encode_notice
from readstate.store.executor import Executor
from readstate.store.keys import EVENT_SHARDS, Keys


def _now_us() -> int:
    return time.time_ns() // 1000


_revisions = itertools.count(_now_us())


def an_event(
    app: str,
    member: str = "ann",
    room: str = "r",
    *,
    seq: int = 1,
    before: int | None = None,
    unread: int = 0,
    revision: int = 0,
) -> ReadEvent:
    """`member` has read message m<seq>; without `revision` a later event is a newer one."""
    revision = revision or next(_revisions)
    return ReadEvent(
        app, room, member, f"m{seq}", seq, seq - 1 if before is None else before, revision // 1000, unread, revision
    )


def shard_of(event: ReadEvent) -> int:
    return Keys.event_shard(Keys.room(event.app, event.room))


async def written(executor: Executor, *events: ReadEvent) -> None:
    """Write events to the streams of their rooms, in order."""
    await asyncio.gather(*(write(executor, shard_of(event), entry_of(event), event.app) for event in events))


def entry_of(event: ReadEvent) -> bytes:
    """An event as scripts write it: the notice, and seq before, unread and revision as 5, 5 and 7
    bytes.
    """
    notice = encode_notice(CursorMoved(event.room, event.member, event.message, event.seq))
    return notice + event.before.to_bytes(5) + event.unread.to_bytes(5) + event.revision.to_bytes(7)


async def write(executor: Executor, shard: int, entry: bytes, app: str) -> None:
    """Write one entry, an event or not."""
    key = Keys.events(shard)
    await executor.command("XADD", key, "*", app, entry, key=key)


async def cleared(executor: Executor) -> None:
    """Delete every event, deliverer and dead letter: all tests on a server share them."""
    for shard in range(EVENT_SHARDS):
        key = Keys.events(shard)
        await executor.command("DEL", key, *(f"{key}:{part}" for part in "qtdxh"), key=key)
    await executor.command("DEL", Keys.deliverers, Keys.refusing_target, key=Keys.deliverers)
