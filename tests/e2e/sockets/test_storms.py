"""Many clients connect at the same time: some wait, some are asked to come later."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import redis.asyncio as redis

from readstate.dialects.imkit.sockets import admission
from readstate.settings import Settings
from tests.security.asgi_socket import AsgiSocket
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, in_process
from tests.support.servers import Server, short_directory
from tests.support.waiting import wait_until

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"
PAUSE_MS = 2_000  # in which the store answers nothing


@pytest.fixture(scope="module")
def store() -> Iterator[Server]:
    """One that may be paused."""
    with short_directory() as directory:
        server = Server(directory)
        server.start()
        yield server
        server.stop()


@pytest_asyncio.fixture
async def imkit(store: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Imkit]:
    """A service that lets two clients sign in at once, and three wait."""
    monkeypatch.setattr(admission, "SIGNED_IN_AT_ONCE", 2)
    monkeypatch.setattr(admission, "MAX_WAITING", 3)
    settings = Settings(
        redis_url=store.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32, address_rate_limit=0
    )
    async with in_process(settings) as imkit:
        yield imkit


async def test_newcomers_are_asked_to_come_later_while_many_sign_in(imkit: Imkit, store: Server) -> None:
    tokens = [await imkit.sign_in(f"user-{number}") for number in range(8)]
    sockets = [AsgiSocket(imkit.service) for _ in tokens]
    for socket in sockets:
        await socket.__aenter__()
    async with redis.Redis.from_url(store.url) as client:
        await client.client_pause(PAUSE_MS)
    signing_in = [
        asyncio.create_task(socket.call("auth2", token)) for socket, token in zip(sockets, tokens, strict=True)
    ]

    async def refused() -> bool:
        return (await imkit.client.get(HANDSHAKE)).status_code == 503

    await wait_until(refused, "a handshake to be refused")
    answer = await imkit.client.get(HANDSHAKE)
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert [answer["RC"] for answer in await asyncio.gather(*signing_in)] == [0] * len(tokens)
    assert (await imkit.client.get(HANDSHAKE)).status_code == 200
    for socket in sockets:
        await socket.__aexit__()


async def test_who_leaves_while_waiting_makes_place_for_others(imkit: Imkit, store: Server) -> None:
    tokens = [await imkit.sign_in(f"guest-{number}") for number in range(8)]
    sockets = [AsgiSocket(imkit.service) for _ in tokens]
    for socket in sockets:
        await socket.__aenter__()
    async with redis.Redis.from_url(store.url) as client:
        await client.client_pause(PAUSE_MS)
    for socket, token in zip(sockets, tokens, strict=True):
        socket.emit("auth2", token)
    await asyncio.gather(*(socket.__aexit__() for socket in sockets))
    async with AsgiSocket(imkit.service) as socket:
        assert (await socket.call("auth2", tokens[0]))["RC"] == 0
    assert (await imkit.client.get(HANDSHAKE)).status_code == 200
