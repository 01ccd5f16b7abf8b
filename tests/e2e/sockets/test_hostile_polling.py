"""Long-polling clients that break the protocol: the session ends, and the service goes on."""

import asyncio
import contextlib
import json
import secrets
import time
from typing import Any

import pytest
import websockets

from tests.e2e.sockets.test_hostile_frames import ENGINE
from tests.support.devices import API_KEY, CLIENT_KEY, Backend, faults
from tests.support.processes import ServiceProcess, own_service


@pytest.fixture(scope="module")
def polled() -> Any:
    """One worker, so that what is refused ends its session."""
    with own_service(workers=1, api_key=API_KEY, client_key=CLIENT_KEY) as process:
        yield process
        assert faults(process) == []


async def session(backend: Backend) -> str:
    """The id of a new long-polling session."""
    answer = await backend._http.get("/socket.io/?EIO=4&transport=polling")
    return str(json.loads(answer.text[1:])["sid"])


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "too long": b'42["' + b"x" * 70_000 + b'"]',
    "10 MB": b"4" * 10_000_000,
    "bad UTF-8": b'42["\xff"]',
    "an empty packet among others": b"3\x1e\x1e3",
    "binary": b"bAAAA",
    "brackets": b"4" + b"[" * 60_000,
    "bad JSON": b'40\x1e42["',
    "a binary event": b'40\x1e451-["x",{"_placeholder":true,"num":0}]',
    "a form": b'd=42["x"]',
    "only servers send it": b"6",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_post_against_the_protocol_ends_the_session(polled: ServiceProcess, body: bytes) -> None:
    async with Backend(polled.url) as backend:
        sid = await session(backend)
        answer = await backend._http.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content=body)
        assert answer.status_code == 400
        assert (await backend._http.get(f"/socket.io/?EIO=4&transport=polling&sid={sid}")).status_code == 400
        again = await backend._http.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content=b"3")
        assert again.status_code == 400


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "EIO=4&transport=polling&sid=nobody"),
        ("POST", "EIO=4&transport=polling&sid=nobody"),
        ("POST", "EIO=4&transport=polling"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "EIO=4&transport=carrier-pigeon"),
        ("GET", "EIO=4&transport=polling&j=1"),
        ("GET", "EIO=4&transport=websocket"),
        ("GET", ""),
        ("GET", "%ff%fe&sid=%00"),
        ("PUT", "EIO=4&transport=polling"),
    ],
)
async def test_a_meaningless_request_is_a_client_error(polled: ServiceProcess, method: str, query: str) -> None:
    before = len(polled.logged)
    async with Backend(polled.url) as backend:
        answer = await backend._http.request(method, f"/socket.io/?{query}")
        assert 400 <= answer.status_code < 500
    assert polled.logged[before:] == []


async def test_many_packets_in_one_post_are_delayed_and_not_lost(polled: ServiceProcess) -> None:
    """A request holds as many packets as fit into 64 KiB."""
    async with Backend(polled.url) as backend:
        sid = await session(backend)
        events = [f'42{number}["conf",{{"encoding":"rot13"}}]' for number in range(200)]
        began = time.monotonic()
        posting = asyncio.create_task(
            backend._http.post(f"/socket.io/?EIO=4&transport=polling&sid={sid}", content="\x1e".join(["40", *events]))
        )
        acks: list[str] = []
        while len(acks) < 200:
            answer = await backend._http.get(f"/socket.io/?EIO=4&transport=polling&sid={sid}")
            acks += [packet for packet in answer.text.split("\x1e") if packet.startswith("43")]
        assert (await posting).text == "ok"
        assert 1.5 <= time.monotonic() - began <= 10
        assert [ack.partition("[")[0] for ack in acks] == [f"43{number}" for number in range(200)]


@pytest.mark.parametrize(("method", "moved"), [("PUT", False), ("OPTIONS", False), ("GET", True)])
async def test_other_requests_of_a_session_are_delayed_as_packets_are(
    polled: ServiceProcess, method: str, moved: bool
) -> None:
    """Their user does not pay for them, so one client could keep a worker busy with them."""
    async with Backend(polled.url) as backend, contextlib.AsyncExitStack() as stack:
        sid = await session(backend)
        token = await backend.token(f"ann-{secrets.token_hex(4)}")
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        await backend._http.post(path, content=f"40{json.dumps({'token': token})}")
        if moved:
            url = backend.url.replace("http", "ws", 1) + f"{ENGINE}&sid={sid}"
            websocket = await stack.enter_async_context(websockets.connect(url, compression=None))
            await websocket.send("2probe")
            assert await websocket.recv() == "3probe"
            await websocket.send("5")
            assert str(await websocket.recv()).startswith("40{")
        began = time.monotonic()
        answers = [await backend._http.request(method, path) for _ in range(160)]
        assert {answer.status_code for answer in answers} == {200 if method == "OPTIONS" else 400}
        assert 1.0 <= time.monotonic() - began <= 10


async def test_upgrades_of_a_session_are_delayed_as_packets_are(polled: ServiceProcess) -> None:
    """Also those that come to nothing."""
    async with Backend(polled.url) as backend:
        sid = await session(backend)
        token = await backend.token(f"ann-{secrets.token_hex(4)}")
        await backend._http.post(
            f"/socket.io/?EIO=4&transport=polling&sid={sid}", content=f"40{json.dumps({'token': token})}"
        )
        url = backend.url.replace("http", "ws", 1) + f"{ENGINE}&sid={sid}"
        began = time.monotonic()
        for _ in range(160):
            async with websockets.connect(url, compression=None) as websocket:
                await websocket.send("no probe")
        assert 1.0 <= time.monotonic() - began <= 15
