"""The whole service in the test's process and loop, on a real server, called over ASGI."""

from collections.abc import AsyncIterator
from functools import cache

import httpx
import pytest
import pytest_asyncio

from readstate.app import Service, create_app
from readstate.settings import Settings
from readstate.store.connect import connect
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, Lifespan, client_of
from tests.support.rocketchat import Rocketchat
from tests.support.servers import Server

REUSED = {"/readyz", "/metrics"}  # answers that an application reuses for a moment


@cache
def made(settings: Settings) -> Service:
    """The application with these settings.

    Making it takes longer than most tests, and it keeps nothing between two lifespans.
    """
    return create_app(settings)


@pytest.fixture
def settings(server: Server) -> Settings:
    """The settings of the service. Tests override them."""
    return Settings(redis_url=server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)


@pytest_asyncio.fixture
async def imkit(settings: Settings) -> AsyncIterator[Imkit]:
    """A running service on an empty server."""
    executor = await connect(str(settings.redis_url))
    await executor.each_node("FLUSHALL")
    service = made(settings)
    asked: set[str] = set()

    async def note(request: httpx.Request) -> None:
        asked.add(request.url.path)

    async with Lifespan(service), client_of(service, event_hooks={"request": [note]}) as client:
        yield Imkit(service, client, executor)
    await executor.close()
    if asked & REUSED:
        made.cache_clear()


@pytest.fixture
def rocketchat(imkit: Imkit) -> Rocketchat:
    """The same service in its Rocket.Chat dialect. Its backend says who is in which room."""
    return Rocketchat(imkit)
