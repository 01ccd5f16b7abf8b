"""Writes of one turn of the event loop leave together, in order, and before the end.

No client is waited for forever.
"""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from uvicorn import Config, Server
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from readstate.dialects.http.reply import Reply
from readstate.process import http_protocol
from readstate.process.http_protocol import Cycle, HttpProtocol
from readstate.process.transport import GatheringTransport
from readstate.process.websocket_protocol import WebSocketProtocol
from tests.support.waiting import wait_until_now


class Recording(asyncio.Transport):
    """Remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.done: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")

    def get_write_buffer_size(self) -> int:
        return 0


async def test_head_and_body_are_one_write_and_later_answers_another() -> None:
    """Nothing waits for longer than the turn."""
    inner = Recording()
    transport = GatheringTransport(inner, asyncio.get_running_loop())
    transport.write(b"head ")
    transport.write(b"body")
    assert inner.done == []
    await asyncio.sleep(0)
    assert inner.done == [b"head body"]
    transport.write(b"next")
    await asyncio.sleep(0)
    assert inner.done == [b"head body", b"next"]


async def test_closing_sends_what_was_written_first() -> None:
    """Nothing is sent after it."""
    inner = Recording()
    transport = GatheringTransport(inner, asyncio.get_running_loop())
    transport.write(b"bye")
    transport.close()
    await asyncio.sleep(0)
    assert inner.done == [b"bye", "closed"]


async def test_everything_else_is_the_real_transport() -> None:
    """Addresses, flow control, changing to another protocol."""
    assert GatheringTransport(Recording(), asyncio.get_running_loop()).get_extra_info("peername") == ("127.0.0.1", 1)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(b'{"RC":0}'),
        Reply(b"no", 404, media_type=b"text/plain"),
        Reply(b"later", 503, more_headers=((b"retry-after", b"1"),)),
        Reply(b"", 204),
        Reply(b"bye", more_headers=((b"connection", b"close"),)),
    ],
)
async def test_an_answer_is_what_uvicorn_would_make_of_it(reply: Reply, keep_alive: bool, method: str) -> None:
    """Equal bytes, but for the order of the headers.

    And the connection goes on or ends in the same way.
    """
    seen = []
    for kind in (RequestResponseCycle, Cycle):
        transport, ended = Recording(), asyncio.Event()
        cycle = kind(
            scope={"type": "http", "method": method},  # type: ignore[typeddict-item]
            transport=transport,
            flow=FlowControl(transport),
            logger=logging.getLogger(),
            access_logger=logging.getLogger(),
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=True,
            keep_alive=keep_alive,
            on_response=ended.set,
        )
        await reply({}, None, cycle.send)  # type: ignore[arg-type]
        top, _, rest = b"".join(piece for piece in transport.done if isinstance(piece, bytes)).partition(b"\r\n")
        lines, _, body = rest.partition(b"\r\n\r\n")
        seen.append(
            (top, sorted(lines.split(b"\r\n")), body, transport.done[-1] == "closed", cycle.keep_alive, ended.is_set())
        )
        assert (cycle.response_complete, cycle.waiting_for_100_continue) == (True, False)
    assert seen[0] == seen[1]


PATIENCE_S = 0.3
LARGE = b"x" * 20_000_000  # more than the system itself holds between two ends of a connection


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Reads the request, unless it is for /refused, and answers: /late after a while, /large with
    much.
    """
    assert scope["type"] in ("http", "lifespan")
    if scope["type"] == "lifespan":
        return
    while scope["path"] != "/refused" and (await receive()).get("more_body"):
        pass
    if scope["path"] == "/late":
        await asyncio.sleep(PATIENCE_S * 5)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": LARGE if scope["path"] == "/large" else b"done"})


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where a server of these protocols listens, with little patience."""
    monkeypatch.setattr(http_protocol, "PATIENCE_S", PATIENCE_S)
    listener = socket.create_server(("127.0.0.1", 0))
    options: dict[str, Any] = {"http": HttpProtocol, "ws": WebSocketProtocol, "loop": "uvloop", "lifespan": "off"}
    server = Server(Config(answering, log_config=None, timeout_graceful_shutdown=1, timeout_keep_alive=1, **options))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    wait_until_now(lambda: server.started, "the server to start")
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def head(path: str, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


KEEP_WAITING = {
    "nothing at all": (b"", b""),
    "half a head": (b"POST / HT", b""),
    "half a body": (head("/", "Content-Length: 10\r\n") + b"12345", b""),
    "half of the next head": (head("/"), b"POST / HT"),
    "an empty line and no request": (head("/"), b"\r\n"),
    "the rest of a refused body": (head("/refused", "Content-Length: 10\r\n"), b"12345"),
}


@pytest.mark.parametrize(("first", "then"), KEEP_WAITING.values(), ids=KEEP_WAITING)
def test_who_does_not_finish_a_request_is_cut_off(address: tuple[str, int], first: bytes, then: bytes) -> None:
    with socket.create_connection(address, timeout=PATIENCE_S * 10) as connection:
        connection.sendall(first)
        if then:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
            connection.sendall(then)
        assert _is_cut_off(connection)


def test_who_does_not_take_an_answer_is_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=PATIENCE_S * 10) as connection:
        connection.sendall(head("/large"))
        time.sleep(PATIENCE_S * 4)
        assert _taken(connection) < len(LARGE)


def test_who_takes_an_answer_slowly_gets_it_whole(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=PATIENCE_S * 10) as connection:
        connection.sendall(head("/large"))
        taken = 0
        for _ in range(12):
            taken += len(connection.recv(2_000_000))
            time.sleep(PATIENCE_S / 4)
        assert taken + _taken(connection) > len(LARGE)


def test_who_waits_for_a_late_answer_gets_it(address: tuple[str, int]) -> None:
    """As long-polling clients do.

    A client that goes on asking is not cut off, however long its connection lives.
    """
    with socket.create_connection(address, timeout=PATIENCE_S * 10) as connection:
        for path in ("/late", "/", "/", "/", "/", "/"):
            connection.sendall(head(path))
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
            time.sleep(PATIENCE_S)


def _is_cut_off(connection: socket.socket) -> bool:
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True


def _taken(connection: socket.socket) -> int:
    """How many bytes come until the end."""
    taken = 0
    try:
        while piece := connection.recv(1_000_000):
            taken += len(piece)
    except ConnectionResetError:
        pass
    return taken
