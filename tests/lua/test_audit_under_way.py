"""Audits while everybody posts, reads, joins and leaves: no difference is found that is none, and
random bytes in stored values are found or do no harm.
"""

import asyncio
import random

import pytest

from readstate.errors import ReadStateError
from readstate.store.redis_store import RedisStore
from tests.support.damage import MEMBERS, busy_room
from tests.support.rooms import posted

ROOMS = ("r1", "r2", "r3")


async def one_call(store: RedisStore, app: str, chance: random.Random) -> None:
    """Anything that changes a room or who is in it. What is refused is refused."""
    room, user = chance.choice(ROOMS), chance.choice((*MEMBERS, "eve", "fay", "gus"))
    message = f"m{chance.randrange(30, 45)}"
    kind = chance.randrange(12)
    try:
        if kind < 4:
            await posted(store, app, room, sender=user, countable=kind > 0)
        elif kind < 6:
            await store.reading.mark_read(app=app, room=room, user=user, message=message)
        elif kind == 6:
            await store.reading.mark_read_until(app=app, room=room, user=user)
        elif kind == 7:
            await store.rooms.remove_members(app=app, room=room, members=[user])
        elif kind == 8:
            await store.rooms.add_members(app=app, room=room, members=[user])
        elif kind == 9:
            await store.messages.delete_message(app=app, room=room, message=message)
        elif kind == 10:
            await store.badges.badge(app=app, user=user, tags=["a"])
        else:
            await store.rooms.set_tags(app=app, room=room, tags=chance.choice((["a", "b"], ["a"], ["c"])))
    except ReadStateError:
        pass


@pytest.mark.parametrize("fanout_limit", [3, 256], ids=["derived", "ordinary"])
async def test_nothing_is_found_while_everybody_writes(store: RedisStore, app: str, full: bool) -> None:
    """Audits with and without `repair` in turn; 22 of them in the long form."""
    for room in ROOMS:
        await busy_room(store, app, room)
    chance, done = random.Random(22), asyncio.Event()

    async def traffic() -> None:
        while not done.is_set():
            await one_call(store, app, chance)

    callers = [asyncio.create_task(traffic()) for _ in range(4)]
    try:
        for number in range(22 if full else 4):
            assert await store.audit.audit_all(app=app, repair=number % 2 == 1) == []
    finally:
        done.set()
        await asyncio.gather(*callers)
    await store.outbox.idle()
    assert await store.audit.audit_all(app=app) == []
