"""Rooms as layout 1 had them, written by plain commands."""

import struct
from collections.abc import Sequence

import msgspec

from readstate.store.executor import Executor
from readstate.store.keys import Keys, OfRoom
from readstate.store.states import SEPARATOR

CREATED_US = 1_700_000_000_000_000
COUNTABLE = 1
FROZEN, DERIVED, BY_CLIENT = 1, 4, 8


async def write_room(
    executor: Executor,
    app: str,
    room: str,
    *,
    members: Sequence[str] = (),
    away: Sequence[str] = (),
    messages: int = 0,
    derived: bool = False,
    frozen: bool = False,
    by_client: bool = False,
) -> None:
    """A room whose members have read half of its messages, m1, m2 and so on.

    `away`: former members, each with a stay. The users' sides are not written.
    """
    flags = FROZEN * frozen + DERIVED * derived + BY_CLIENT * by_client
    key, read = Keys.room(app, room), messages // 2
    record = _record(read)
    fields: list[str | bytes] = ["", _head(messages, len(members), flags)]
    for member in members:
        fields += [member, record]
    await _in_parts(executor, "HSET", key, fields)
    log: list[str | bytes] = []
    places: list[str | bytes] = []
    for seq in range(1, messages + 1):
        log += [str(seq), _packed(f"m{seq}", "", 1_700_000_000_000 + seq, -1)]
        places += [f"m{seq}", _packed(seq, seq, COUNTABLE)]
    await _in_parts(executor, "HSET", key + OfRoom.MESSAGE_LOG, log)
    await _in_parts(executor, "HSET", key + OfRoom.FIRST_PLACES, places)
    stays: list[str | bytes] = []
    for name in away:
        stays += [name, record, f"{name}{SEPARATOR}0", _packed(read, 5)]
        await executor.command("ZADD", key + OfRoom.STAYS_BY_CURSOR, read, f"{name}{SEPARATOR}0", key=key)
        await executor.command("ZADD", key + OfRoom.STAYS_BY_JOINING, 0, f"{name}{SEPARATOR}0", key=key)
    await _in_parts(executor, "HSET", key + OfRoom.LEAVERS, stays)


async def _in_parts(executor: Executor, command: str, key: str, parts: Sequence[str | bytes]) -> None:
    for first in range(0, len(parts), 2000):
        await executor.command(command, key, *parts[first : first + 2000], key=key)


def _head(seq: int, member_count: int, flags: int) -> bytes:
    newest = f"m{seq}".encode() if seq else b""
    return b"".join(
        (
            *(number.to_bytes(7, "big") for number in (CREATED_US + seq, CREATED_US)),
            *(number.to_bytes(5, "big") for number in (seq, seq)),
            struct.pack(">I", member_count),
            *(number.to_bytes(5, "big") for number in (0, 0, 0, 0)),
            struct.pack(">BB", flags, len(newest)),
            newest,
        )
    )


def _record(read: int) -> bytes:
    """Of a member with one move, to seq `read` at once."""
    numbers = b"".join(number.to_bytes(5, "big") for number in (read, read, read, 0))
    return numbers + (0).to_bytes(6, "big") + struct.pack(">IB", 1, 0) + _packed(read, 0)


def _packed(*items: str | int) -> bytes:
    return b"".join(map(msgspec.msgpack.encode, items))
