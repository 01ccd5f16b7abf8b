"""Several workers: a request comes to any of them; the one that has the session answers."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import websockets

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, faults
from tests.support.processes import ServiceProcess, own_service, workers_of
from tests.support.waiting import wait_until

WORKERS = 3
POLLING = "EIO=4&transport=polling"
UNKNOWN = (400, "no such session")


@pytest.fixture(scope="module")
def process() -> Iterator[ServiceProcess]:
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY, "address_rate_limit": 0}
    with own_service(workers=WORKERS, **keys) as process:
        yield process
        assert faults(process) == []


async def ask(process: ServiceProcess, method: str, query: str, body: bytes = b"") -> tuple[int, str]:
    """One request on a connection of its own, which any worker may have."""
    async with httpx.AsyncClient(base_url=process.url, timeout=20) as client:
        answer = await client.request(method, f"/socket.io/?{query}", content=body)
    return answer.status_code, answer.text


async def opened(process: ServiceProcess) -> str:
    """A session; the query of its requests."""
    status, text = await ask(process, "GET", POLLING)
    assert status == 200, text
    return f"{POLLING}&sid={json.loads(text[1:])['sid']}"


@pytest.fixture
async def sessions(process: ServiceProcess) -> AsyncIterator[list[str]]:
    """Sessions of every worker."""
    found: list[str] = []

    async def enough() -> bool:
        found.append(await opened(process))
        return len({session[-1] for session in found}) == WORKERS

    await wait_until(enough, "each worker to have a session", timeout_s=30)
    yield found
    for session in found:
        await ask(process, "POST", session, b"1")


async def test_the_requests_of_a_session_may_come_to_any_worker(process: ServiceProcess, sessions: list[str]) -> None:
    for session in sessions[-6:]:
        assert await ask(process, "POST", session, b"40") == (200, "ok")
        assert (await ask(process, "GET", session))[1].startswith("40{")
        for number in range(4):
            assert await ask(process, "POST", session, b'42%d["conf",{"encoding":"rot13"}]' % number) == (200, "ok")
            assert (await ask(process, "GET", session))[1].startswith(f"43{number}[")


async def test_one_connection_may_ask_for_sessions_of_all_workers(process: ServiceProcess, sessions: list[str]) -> None:
    """As those of a proxy do; and for other things in between."""
    async with httpx.AsyncClient(base_url=process.url, timeout=20, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(2):
            for session in sessions:
                answer = await client.post(f"/socket.io/?{session}", content=b"3")
                assert (answer.status_code, answer.text) == (200, "ok")
                assert (await client.get("/healthz")).status_code == 200


async def test_a_request_that_comes_in_pieces_is_moved_when_it_is_whole(
    process: ServiceProcess, sessions: list[str]
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"40", b"\x1e", b'420["conf",{"encoding":', b'"rot13"}]'):
            yield piece
            await asyncio.sleep(0.02)

    async with httpx.AsyncClient(base_url=process.url, timeout=20) as client:
        for session in sessions:
            assert (await client.post(f"/socket.io/?{session}", content=pieces())).text == "ok"
            assert "430[" in (await ask(process, "GET", session))[1]


async def test_what_is_too_long_is_refused_by_any_worker(process: ServiceProcess, sessions: list[str]) -> None:
    for session in sessions:
        assert await ask(process, "POST", session, b"4" * 70_000) == (400, "longer than 65536 bytes")


async def test_a_websocket_takes_a_session_over_from_any_worker(process: ServiceProcess, sessions: list[str]) -> None:
    address = process.url.replace("http", "ws", 1)
    for session in sessions:
        query = session.replace("polling", "websocket")
        async with websockets.connect(f"{address}/socket.io/?{query}", compression=None) as connection:
            await connection.send("2probe")
            assert await connection.recv() == "3probe"
            await connection.send("5")
            await connection.send("40")
            assert str(await connection.recv()).startswith("40{")


async def test_ids_that_name_a_worker_without_the_session_are_unknown(process: ServiceProcess) -> None:
    for last in "abcd9-_":
        assert await ask(process, "GET", f"{POLLING}&sid={'x' * 20}{last}") == UNKNOWN
        assert await ask(process, "POST", f"{POLLING}&sid={'x' * 20}{last}", b"3") == UNKNOWN


async def test_several_requests_sent_at_once_are_answered_or_refused(
    process: ServiceProcess, sessions: list[str]
) -> None:
    """What was read of the later ones cannot be moved."""
    host, port = process.url.removeprefix("http://").split(":")
    for session in sessions:
        reader, writer = await asyncio.open_connection(host, int(port))
        post = f"POST /socket.io/?{session} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n3"
        writer.write((post + post.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).encode())
        async with asyncio.timeout(10):
            answers = (await reader.read()).decode().split("HTTP/1.1 ")[1:]
        writer.close()
        assert [answer[:3] for answer in answers] in (["200", "200"], ["503", "503"], ["503", "200"])


async def test_sessions_of_a_worker_that_has_died_are_unknown(process: ServiceProcess, sessions: list[str]) -> None:
    """A request that waits for it meanwhile is answered by the worker that takes its place."""
    before = workers_of(process)
    hung = next(iter(before))
    os.kill(hung, signal.SIGSTOP)
    try:
        asked = [asyncio.create_task(ask(process, "POST", session, b"3")) for session in sessions[-WORKERS:]]
        await asyncio.wait(asked, timeout=1)
        answered = [task.result() for task in asked if task.done()]
        assert set(answered) <= {(200, "ok")}
    finally:
        os.kill(hung, signal.SIGKILL)
    for status, text in await asyncio.gather(*asked, return_exceptions=False):
        assert (status, text) in ((200, "ok"), UNKNOWN)

    async def replaced() -> bool:
        return len(workers_of(process)) == WORKERS and hung not in workers_of(process)

    await wait_until(replaced, "a worker to take its place")
    outcomes = {(await ask(process, "POST", session, b"3")) for session in sessions}
    assert outcomes == {(200, "ok"), UNKNOWN}


async def test_a_request_that_waits_at_another_worker_does_not_hold_up_the_stop() -> None:
    with own_service(workers=WORKERS, address_rate_limit=0) as process:
        sessions = [await opened(process) for _ in range(8)]
        for session in sessions:
            assert await ask(process, "POST", session, b"40") == (200, "ok")
            assert (await ask(process, "GET", session))[1].startswith("40{")
        waiting = [asyncio.create_task(ask(process, "GET", session)) for session in sessions]
        await asyncio.wait(waiting, timeout=0.5)
        assert not any(task.done() for task in waiting)
        assert await asyncio.to_thread(process.stop) == 0
        assert await asyncio.gather(*waiting) == [(200, "1")] * len(sessions)
        assert faults(process) == []


async def test_a_badge_is_asked_over_a_connection_that_was_moved(process: ServiceProcess, sessions: list[str]) -> None:
    """Whatever came over it before, what it asks next is answered like any call."""
    async with Backend(process.url) as backend:
        token = await backend.token("ann")
        for session in sessions:
            assert (await backend._http.post(f"/socket.io/?{session}", content=b"3")).text == "ok"
            assert (await backend.call("GET", "/me/badge", token=token))["result"] == {"badge": 0}
