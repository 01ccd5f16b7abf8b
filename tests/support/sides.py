"""What tests of attention ask of the sides of users and of rooms."""

from typing import Any

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents
from tests.support.rooms import a_room, posted


async def with_news(executor: Executor, app: str, user: str = "ann") -> list[bytes]:
    """The user's list of rooms with news."""
    key = Keys.user(app, user)
    rooms: list[bytes] = await executor.command("ZRANGE", key + ":n", 0, -1, key=key)
    return rooms


async def attentive(executor: Executor, app: str, room: str = "r") -> set[bytes]:
    """The members that a large room has noted as attentive."""
    key = Keys.room(app, room)
    return set(await executor.command("SMEMBERS", key + ":a", key=key))


async def side_of(store: RedisStore, app: str, user: str = "ann") -> dict[bytes, bytes]:
    """Every key of the user's slot."""
    own = Keys.user(app, user).encode()
    return {key: value for key, value in (await contents(store, app)).items() if key.startswith(own)}


async def is_sound(store: RedisStore, app: str, *users: str) -> None:
    """Nothing is left for an audit to find at these users and in room r."""
    await store.outbox.idle()
    for user in users or ("ann", "bob"):
        assert await store.audit.audit_user(app=app, user=user, repair=False) == []
    assert await store.audit.audit_room(app=app, room="r", repair=False) == []


async def asleep(store: RedisStore, app: str, *rooms: str, posts: int = 5, **more: Any) -> None:
    """Rooms in which ann pays no attention any more: they are on her list."""
    for room in rooms:
        await a_room(store, app, room, **more)
        for number in range(posts):
            await posted(store, app, room, message=f"{room}-{number}", sender="bob")
    await store.outbox.idle()
