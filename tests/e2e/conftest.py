"""A real service for the socket tests: two workers, so that notices go from one to the other."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.devices import API_KEY, CLIENT_KEY, Backend
from tests.support.processes import ServiceProcess, own_service


@pytest.fixture(scope="module")
def live() -> Iterator[ServiceProcess]:
    """`readstate serve` with two workers, on an embedded server of its own."""
    with own_service(workers=2, api_key=API_KEY, client_key=CLIENT_KEY) as process:
        yield process


@pytest_asyncio.fixture
async def backend(live: ServiceProcess) -> AsyncIterator[Backend]:
    async with Backend(live.url) as backend:
        yield backend
