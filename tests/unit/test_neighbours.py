"""A connection is passed on, or stays where it is: nothing is lost in between."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from readstate.process import neighbours
from readstate.process.neighbours import Neighbours, make_pairs, written_again
from readstate.process.transport import GatheringTransport
from tests.support.waiting import wait_until

SCOPE: dict[str, Any] = {
    "method": "POST",
    "raw_path": b"/socket.io/",
    "query_string": b"sid=a",
    "http_version": "1.1",
    "headers": [(b"host", b"x"), (b"transfer-encoding", b"chunked"), (b"cookie", b"a=b"), (b"cookie", b"c=d")],
}


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    pairs = make_pairs(2)
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


async def connection() -> tuple[GatheringTransport, socket.socket]:
    """One that a worker has accepted, and the client's end."""
    client, served = socket.socketpair()
    served.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, served)
    return GatheringTransport(transport, loop), client


def test_a_request_is_written_as_it_came_with_its_body_whole() -> None:
    request = written_again(SCOPE, b"3")
    assert request == (
        b"POST /socket.io/?sid=a HTTP/1.1\r\nhost: x\r\ncookie: a=b\r\ncookie: c=d\r\ncontent-length: 1\r\n\r\n3"
    )
    assert written_again({**SCOPE, "method": "GET", "query_string": b""}, None).startswith(b"GET /socket.io/ HTTP/1.1")


def test_a_single_worker_has_no_neighbours() -> None:
    assert make_pairs(1) == []
    assert [number for number in range(-1, 64) if Neighbours().has(number)] == []


async def test_the_other_worker_gets_the_connection_and_the_request(pairs: Any) -> None:
    transport, client = await connection()
    taken: list[tuple[socket.socket, bytes]] = []

    async def take(connection: socket.socket, request: bytes) -> None:
        taken.append((connection, request))

    Neighbours(1, receiving=pairs[1][1]).receive(take)
    assert await Neighbours(0, [sending for sending, _ in pairs]).move(1, transport, b"request")

    async def arrived() -> bool:
        return bool(taken)

    await wait_until(arrived, "the connection to arrive")
    ((moved, request),) = taken
    moved.sendall(b"answer")
    assert (request, client.recv(100)) == (b"request", b"answer")
    moved.close()
    assert client.recv(100) == b""
    client.close()
    asyncio.get_running_loop().remove_reader(pairs[1][1])


@pytest.mark.parametrize("request_bytes", [1000, 4 * neighbours.BUFFER_BYTES], ids=["full", "too long"])
async def test_a_connection_stays_where_it_is_when_it_cannot_be_passed_on(
    pairs: Any, request_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other worker takes nothing, or the request is too long for a message."""
    monkeypatch.setattr(neighbours, "PATIENCE_S", 0.05)
    transport, client = await connection()
    here = Neighbours(0, [sending for sending, _ in pairs])
    others = []
    while await here.move(1, transport, bytes(request_bytes)):
        others.append(client)
        transport, client = await connection()
    assert bool(others) == (request_bytes == 1000)
    transport.write(b"answer")
    await asyncio.sleep(0)
    assert client.recv(100) == b"answer"
    assert not transport.is_closing()
    transport.close()
    for end in (client, *others):
        end.close()
