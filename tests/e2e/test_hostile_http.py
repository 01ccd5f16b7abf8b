"""Clients that break HTTP, stop halfway or do not read: others are not harmed, the log stays short,
and requests stay whole.
"""

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.sockets.test_hostile_frames import ENGINE, nothing_unexpected, still_serves
from tests.support.devices import API_KEY, Backend
from tests.support.processes import ServiceProcess

__all__ = ["nothing_unexpected"]

AS_ANN = f"Host: x\r\nIM-API-KEY: {API_KEY}\r\nIM-CLIENT-ID: ann\r\n"
HANDSHAKE = (
    f"GET {ENGINE} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@contextlib.contextmanager
def connected(url: str, sent: str | bytes) -> Iterator[socket.socket]:
    """A connection over which `sent` was sent."""
    address = urlsplit(url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(sent.encode() if isinstance(sent, str) else sent)
        yield connection


def answer_to(url: str, sent: str | bytes) -> bytes:
    """All that the service sends until it closes."""
    heard = b""
    with connected(url, sent) as connection:
        while piece := connection.recv(65_536):
            heard += piece
    return heard


def request(method: str, path: str, body: str = "", headers: str = "") -> str:
    """A request of ann's backend."""
    return f"{method} {path} HTTP/1.1\r\n{AS_ANN}{headers}Content-Length: {len(body)}\r\n\r\n{body}"


# What Java's HttpClient and `curl --http2` send with the first request of a connection.
OFFER = (
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
    "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)


async def test_who_offers_another_protocol_loses_no_body(backend: Backend) -> None:
    """Without its body the call would do something else: here, revoke every token."""
    token = await backend.token("ann")
    path, body = "/admin/clients/ann/token", json.dumps({"token": "another-token-of-ann"})
    last = request("GET", "/healthz", headers="Connection: close\r\n")
    answers = answer_to(
        backend.url, request("DELETE", path, body, OFFER) + request("GET", "/me/badge", headers=OFFER) + last
    )
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"404", b"200", b"200"]
    assert (await backend.call("GET", "/me", token=token))["RC"] == 0


async def test_an_offer_in_pieces_is_the_same(backend: Backend) -> None:
    whole = request("POST", "/badges/byRoomTags", '{"tags":["none"]}', OFFER)
    for cut in (10, len(whole) - 17, len(whole) - 5):
        with connected(backend.url, whole[:cut]) as connection:
            await asyncio.sleep(0.05)
            connection.sendall(whole[cut:].encode())
            assert connection.recv(65_536).endswith(b'"result":{"totalBadge":0,"data":{"none":0}}}')


@pytest.mark.parametrize("headers", ["", "Origin: https://chat.example\r\n"], ids=["fast", "framework"])
async def test_who_breaks_off_in_the_middle_of_a_body_has_said_nothing(backend: Backend, headers: str) -> None:
    ann = await backend.token("ann")
    room = await backend.room(f"broken-off-{len(headers)}", "ann", "bob")
    message = await backend.post(room, "bob")
    whole = request("PUT", f"/rooms/{room}/lastRead", json.dumps({"message": message}), headers)
    with connected(backend.url, whole[:-1]):
        await asyncio.sleep(0.1)
    with connected(
        backend.url, request("POST", "/messages", json.dumps({"room": room, "sender": "bob"}), headers)[:-1]
    ):
        await asyncio.sleep(0.1)
    await still_serves(backend)
    assert (await backend.call("GET", f"/rooms/{room}", token=ann))["result"]["unread"] == 1


async def test_who_goes_away_before_the_answer_harms_nobody(backend: Backend) -> None:
    """By a reset, at every moment: before, while and after the answer is written."""
    for number in range(600):
        sent = (request("GET", "/me/badge"), HANDSHAKE + "\r\n", "no HTTP\r\n\r\n")[number % 3]
        with connected(backend.url, sent) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.sleep(number % 7 * 0.0002)
    await still_serves(backend)


MALFORMED = {
    "no HTTP": b"\x16\x03\x01\x00\xff",
    "a raw byte in the path": b"GET /rooms/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a raw byte in the query": b"GET /me/badge?roomTags=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": b"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": b"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk behind an offer": (
        f"POST /messages HTTP/1.1\r\n{AS_ANN}{OFFER}Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
    ).encode(),
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_http_is_refused_and_fills_no_log(backend: Backend, live: ServiceProcess, sent: bytes) -> None:
    before = len(live.logged)
    assert answer_to(backend.url, sent).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    await still_serves(backend)
    assert live.logged[before:] == []


KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = "Sec-WebSocket-Version: 13\r\n"
HANDSHAKES = {
    "a body": (HANDSHAKE + "Content-Length: 2\r\n", 400, b"A WebSocket handshake has no body."),
    "chunks": (HANDSHAKE + "Transfer-Encoding: chunked\r\n", 400, b"A WebSocket handshake has no body."),
    "another version": (HANDSHAKE.replace("13", "8"), 426, b"Sec-WebSocket-Version must be 13."),
    "no version": (HANDSHAKE.replace(VERSION, ""), 426, b"Sec-WebSocket-Version must be 13."),
    "two versions": (HANDSHAKE + VERSION, 426, b"Sec-WebSocket-Version must be 13."),
    "no key": (HANDSHAKE.replace(KEY, ""), 400, b"There must be one Sec-WebSocket-Key"),
    "two keys": (HANDSHAKE + KEY, 400, b"There must be one Sec-WebSocket-Key"),
    "a short key": (HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIA=="), 400, b"There must be one"),
    "a key that is no base64": (HANDSHAKE.replace("dGhl", "d!hl"), 400, b"There must be one"),
    "a key of another script": (HANDSHAKE.replace("dGhl", "d\u00e4hl"), 400, b"There must be one"),
    "a POST": (HANDSHAKE.replace("GET", "POST"), 400, b"A WebSocket handshake is a GET"),
    "an old HTTP": (HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0"), 400, b"A WebSocket handshake is a GET"),
}


@pytest.mark.parametrize(("sent", "status", "reason"), HANDSHAKES.values(), ids=HANDSHAKES)
async def test_a_bad_handshake_is_refused(backend: Backend, sent: str, status: int, reason: bytes) -> None:
    """Without an answer the client would wait for ever, and the service would keep its
    connection.
    """
    head, _, text = answer_to(backend.url, sent + "\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert f"content-length: {len(text)}".encode() in head
    assert text.startswith(reason)
    assert (b"sec-websocket-version: 13" in head) == (status == 426)


@pytest.mark.parametrize("headers", ["", f"Cookie: {'x' * 9_000}\r\n", "Content-Length: 0\r\n"])
async def test_a_handshake_is_accepted_with_any_headers_of_a_page(backend: Backend, headers: str) -> None:
    """And with frames that come in one piece with it."""
    early = b"\x81\x82\0\0\0\0" + b"40"
    with connected(backend.url, (HANDSHAKE + headers + "\r\n").encode() + early) as connection:
        connection.settimeout(10)
        answer = b""
        while b"40{" not in answer:
            answer += connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer


@pytest.mark.parametrize("path", ["/", "/rooms", "/healthz", "/me/badge", "/schema/openapi.json", "http://x"])
async def test_a_websocket_elsewhere_is_refused(backend: Backend, path: str) -> None:
    """It is not taken for a call of this path."""
    answer = answer_to(backend.url, HANDSHAKE.replace(ENGINE, path) + "\r\n")
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    await still_serves(backend)


async def test_a_whole_address_is_that_of_its_path(backend: Backend) -> None:
    """RFC 9112, section 3.2.2: servers accept it, though only proxies are asked so."""
    with connected(backend.url, HANDSHAKE.replace(ENGINE, f"http://chat.example{ENGINE}") + "\r\n") as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")


@pytest.mark.parametrize("path", ["/socket.io/?EIO=4&transport=polling", "/healthz", "/schema/openapi.json"])
async def test_a_handshake_before_the_answer_to_another_request_is_refused(backend: Backend, path: str) -> None:
    """The answer, and the end of the time between requests, would come into the WebSocket."""
    early = b"\x81\x82\0\0\0\0" + b"40"
    answer = answer_to(backend.url, request("GET", path).encode() + (HANDSHAKE + "\r\n").encode() + early)
    assert answer.endswith(b"A WebSocket handshake must wait for the answers to the requests before it.")
    assert b" 101 " not in answer
    await still_serves(backend)


async def test_a_handshake_may_follow_an_answer(backend: Backend) -> None:
    with connected(backend.url, request("GET", "/healthz")) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")
        connection.sendall((HANDSHAKE + "\r\n").encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")


MANY_BYTES = 60_000_000  # more than the system itself holds for two ends of a connection


async def test_who_pings_and_does_not_read_is_cut_off(backend: Backend) -> None:
    """Each ping is answered by a pong, which would wait in memory.

    No token is needed for a ping.
    """
    with connected(backend.url, HANDSHAKE + "\r\n") as connection:
        assert await asyncio.to_thread(_pinged, connection) < MANY_BYTES
    await still_serves(backend)


def _pinged(connection: socket.socket) -> int:
    """How many bytes of pings could be sent, up to MANY_BYTES."""
    pings = (b"\x89\xfd" + bytes(4) + b"p" * 125) * 500
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < MANY_BYTES:
            connection.sendall(pings)
            sent += len(pings)
    return sent


async def test_who_asks_for_too_much_at_once_is_refused(backend: Backend) -> None:
    """A waiting request takes a hundred times its size in memory."""
    one = "GET /schema/openapi.json HTTP/1.1\r\n\r\n"
    assert answer_to(backend.url, one * 500).endswith(b"More than 100 requests at once.")
    last = "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"
    assert answer_to(backend.url, one * 50 + last).count(b"HTTP/1.1 200 OK\r\n") == 51
    await still_serves(backend)
