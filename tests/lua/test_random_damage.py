"""Random bytes in random values of a room and its members' sides: an audit raises nothing, finds
them unless they change no count, and finds nothing more once it has mended them.
"""

import random
from typing import Any

from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents
from tests.support.damage import MEMBERS, busy_room

IN_SHORT, IN_FULL = 25, 1000
NO_COUNTS = (":f", ":p", ":t")  # profiles and tokens


async def counts(store: RedisStore, app: str) -> dict[str, Any]:
    """Cursors, unread and badges of everybody."""
    found: dict[str, Any] = {}
    for user in (*MEMBERS, "eve", "fay", "gus"):
        me = (await store.rooms.room(app=app, room="r", user=user)).me
        found[user] = (me and (me.cursor, me.unread), await store.badges.badge(app=app, user=user, tags=[]))
    return found


def damaged(value: bytes, chance: random.Random) -> bytes:
    """The value with other bytes, with fewer, or with more."""
    kind = chance.randrange(4)
    if kind == 0:
        return value[: chance.randrange(len(value) + 1)]
    if kind == 1:
        at = chance.randrange(len(value) + 1)
        return value[:at] + chance.randbytes(chance.randrange(1, 9)) + value[at:]
    changed = bytearray(value or b"\0")
    for _ in range(chance.randrange(1, 4)):
        changed[chance.randrange(len(changed))] ^= chance.randrange(1, 256)
    return bytes(changed)


async def plant(executor: Executor, keys: list[str], chance: random.Random) -> str:
    """Damage one value. Returns what was done."""
    key = chance.choice(keys)

    async def run(command: str, *parts: str | int | bytes) -> Any:
        return await executor.command(command, key, *parts, key=key)

    kind = (await run("TYPE")).decode()
    if kind == "hash":
        fields = await run("HKEYS")
        field = chance.choice(fields)
        value = damaged(await run("HGET", field), chance)
        await run("HSET", field, value)
        return f"{key} {field!r}: {value!r}"
    if kind == "zset":
        name = chance.choice(await run("ZRANGE", 0, -1))
        score = chance.choice((0, 1, 7, 2**40, 2**52))
        await run("ZADD", score, name)
        return f"{key} {name!r}: {score}"
    name = f"x{chance.randrange(1000)}"
    await run("SADD", name)
    return f"{key} {name!r}"


async def put_back(executor: Executor, store: RedisStore, app: str, dumps: dict[bytes, bytes]) -> None:
    for key in (await contents(store, app)).keys() - dumps.keys():
        await executor.command("DEL", key, key=key.decode())
    for key, dump in dumps.items():
        await executor.command("RESTORE", key, 0, dump, "REPLACE", key=key.decode())


async def test_random_bytes_are_found_or_change_no_count(
    store: RedisStore, executor: Executor, app: str, full: bool
) -> None:
    await busy_room(store, app)
    before = await counts(store, app)
    dumps = await contents(store, app)
    keys = sorted(key.decode() for key in dumps if not key.endswith(tuple(map(str.encode, NO_COUNTS))))
    chance = random.Random(7)
    for _ in range(IN_FULL if full else IN_SHORT):
        planted = await plant(executor, keys, chance)
        found = await store.audit.audit_all(app=app)
        if left_alone(found):
            pass
        elif found:
            await store.audit.audit_all(app=app, repair=True)
            await store.outbox.idle()
            assert await store.audit.audit_all(app=app) == [], planted
            if not lost_room(found):
                await counts(store, app)
        else:
            assert await counts(store, app) == before, planted
        await put_back(executor, store, app, dumps)


def lost_room(found: list[Any]) -> bool:
    """The head is gone, and so is the room."""
    return any(drift.what in ("head", "room") for drift in found)


def left_alone(found: list[Any]) -> bool:
    """The head says that a later version has written the room."""
    return any("of a later readstate" in drift.stored for drift in found)
