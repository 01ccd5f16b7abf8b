"""A service whose keys and tokens are changed."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from readstate.settings import Settings
from readstate.store.apps import AppRegistry, NewApp
from tests.security.keys.calls import heard
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, in_process


@pytest.fixture
def settings(settings: Settings, plan_url: str) -> Settings:
    """On one server and on a cluster."""
    return msgspec.structs.replace(settings, redis_url=plan_url)


@pytest_asyncio.fixture
async def second(imkit: Imkit, settings: Settings) -> AsyncIterator[Imkit]:
    async with in_process(settings) as second:
        yield second


@pytest.fixture
def apps(imkit: Imkit) -> AppRegistry:
    """As the command `readstate apps` has them."""
    return AppRegistry(imkit.executor, client_key=CLIENT_KEY, api_key=API_KEY)


@pytest.fixture
async def acme(imkit: Imkit, apps: AppRegistry) -> NewApp:
    """A second app, which the service has heard of."""
    added = await apps.add("acme")
    await heard(imkit)
    return added
