"""The driver against a server that answers as told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from readstate.bench.driver import NO_ANSWER, Driver, Planned

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
CALL = Planned("badge", b"GET /me/badge HTTP/1.1\r\nHost: h\r\n\r\n")

Answer = Callable[[int], tuple[float, bytes]]  # to the n-th request, from 1: after how many seconds, and what


class Answering(asyncio.Protocol):
    """One connection of the server. Without an answer it is closed."""

    asked = 0
    connections: ClassVar[list[asyncio.Transport]] = []

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport
        Answering.connections.append(transport)

    def data_received(self, data: bytes) -> None:
        Answering.asked += 1
        after_s, said = self._answer(Answering.asked)
        asyncio.get_running_loop().call_later(after_s, self._say, said)

    def _say(self, said: bytes) -> None:
        self._transport.write(said)
        if not said or b"close" in said:
            self._transport.close()


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[SplitResult]:
    Answering.asked = 0
    Answering.connections.clear()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Answering(answer), "127.0.0.1", 0)
    yield urlsplit(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    listening.close()
    await hang_up()


async def hang_up() -> None:
    """End every connection, as a service does with those that are idle."""
    for connection in Answering.connections:
        connection.abort()
    await asyncio.sleep(0.01)


async def test_waiting_for_a_connection_counts() -> None:
    """A service that stalls once makes many calls late, not only the one that it was answering."""

    def answer(number: int) -> tuple[float, bytes]:
        return (0.2 if number == 1 else 0.0), OK

    async with server(answer) as url, Driver(url, connections=1, seed=1) as driver:
        tally = await driver.drive(lambda: CALL, rate=200, warm_s=0, seconds=0.4)
    late = [one for one in tally.latencies_s["badge"] if one > 0.05]
    assert len(late) > 10
    assert tally.statuses == {200: tally.calls}


async def test_what_is_refused_and_what_is_not_answered_is_counted_apart() -> None:
    """Another connection takes the place of one that was closed."""
    failed: list[str] = []

    def answer(number: int) -> tuple[float, bytes]:
        return 0.0, (b"", BUSY, CHUNKED, OK)[number % 4]

    planned = Planned("mark_read", CALL.request, failed=lambda: failed.append("mark_read"))
    async with server(answer) as url, Driver(url, connections=2, seed=1) as driver:
        tally = await driver.drive(lambda: planned, rate=200, warm_s=0, seconds=0.2)
    assert set(tally.statuses) == {200, 429, NO_ANSWER}
    assert tally.failed == len(failed) > 0
    assert not tally.is_hopeless


async def test_what_comes_before_the_counted_time_is_left_out() -> None:
    async with server(lambda number: (0.0, OK)) as url, Driver(url, connections=2, seed=1) as driver:
        sent = 0

        def plan() -> Planned:
            nonlocal sent
            sent += 1
            return CALL

        tally = await driver.drive(plan, rate=200, warm_s=0.1, seconds=0.1)
    assert 0 < tally.calls < sent


async def test_connections_that_were_closed_between_two_rates_are_opened_again() -> None:
    """The service closes idle ones, and posting for the next rate may take longer than that."""
    async with server(lambda number: (0.0, OK)) as url, Driver(url, connections=2, seed=1) as driver:
        await driver.drive(lambda: CALL, rate=200, warm_s=0, seconds=0.1)
        await hang_up()
        tally = await driver.drive(lambda: CALL, rate=200, warm_s=0, seconds=0.1)
    assert tally.statuses == {200: tally.calls}
    assert tally.calls > 0
    assert not tally.is_hopeless
