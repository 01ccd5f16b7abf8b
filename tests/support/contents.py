"""The stored bytes of an app, to check that a refusal wrote nothing."""

from collections.abc import Awaitable
from typing import Any

import pytest

from readstate.errors import Refusal
from readstate.store.keys import OfRoom
from readstate.store.redis_store import RedisStore


async def contents(store: RedisStore, app: str) -> dict[bytes, bytes]:
    """Every key of the app's rooms and users with its serialised value, when all updates are
    acknowledged. What a room has published is left out: it is kept for a moment only.
    """
    await store.outbox.idle()
    executor = store.rooms._executor
    keys = [key for found in await executor.each_node("KEYS", f"{{[ru]:{app}:*") for key in found]
    keys = [key for key in keys if not (key.startswith(b"{r:") and key.endswith(OfRoom.RECENT.encode()))]
    return {key: await executor.command("DUMP", key, key=key.decode()) for key in keys}


async def refused(store: RedisStore, app: str, error: type[Refusal], call: Awaitable[Any]) -> None:
    """The call raises exactly `error`, and nothing was written."""
    before = await contents(store, app)
    with pytest.raises(error) as caught:
        await call
    assert caught.type is error
    assert await contents(store, app) == before
