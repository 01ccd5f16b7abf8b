"""The cases of the published Engine.IO protocol suite (24), one test for each.

See github.com/socketio/engine.io-protocol, `test-suite/`. The suite's server echoes messages. This
service does not, so a CONNECT and the ack of `conf` replace the echo. Where the service differs on
purpose, the test's name ends in `_differs`, and docs/sockets.md says why.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
import websockets

from tests.e2e.sockets.engine import ASK, KEYS, PING_INTERVAL_S, PING_TIMEOUT_S, Engine, closed, heard, quick_service
from tests.support.processes import ServiceProcess


@pytest.fixture(scope="module")
def live() -> Iterator[ServiceProcess]:
    with quick_service() as process:
        yield process


@pytest_asyncio.fixture
async def engine(live: ServiceProcess) -> AsyncIterator[Engine]:
    engine = Engine(live.url)
    yield engine
    await engine.close()


def check_opening(text: str, upgrades: list[str]) -> None:
    assert text.startswith("0")
    facts: dict[str, Any] = json.loads(text[1:])
    assert facts.keys() == KEYS
    assert isinstance(facts["sid"], str)
    assert (facts["upgrades"], facts["maxPayload"]) == (upgrades, 65_536)
    assert (facts["pingInterval"], facts["pingTimeout"]) == (PING_INTERVAL_S * 1000, PING_TIMEOUT_S * 1000)


# Engine.IO: handshake


async def test_polling_opens_a_session(engine: Engine) -> None:
    answer = await engine.request("GET", "EIO=4&transport=polling")
    assert answer.status_code == 200
    check_opening(answer.text, ["websocket"])


@pytest.mark.parametrize("query", ["transport=polling", "EIO=abc&transport=polling"])
async def test_polling_fails_with_an_invalid_version(engine: Engine, query: str) -> None:
    assert (await engine.request("GET", query)).status_code == 400


@pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
async def test_polling_fails_with_an_invalid_transport(engine: Engine, query: str) -> None:
    assert (await engine.request("GET", query)).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_polling_fails_with_an_invalid_method(engine: Engine, method: str) -> None:
    assert (await engine.request(method, "EIO=4&transport=polling")).status_code == 400


async def test_a_websocket_opens_a_session(engine: Engine) -> None:
    async with engine.websocket() as connection:
        check_opening(await heard(connection), [])


@pytest.mark.parametrize("query", ["transport=websocket", "EIO=abc&transport=websocket"])
async def test_a_websocket_fails_with_an_invalid_version(engine: Engine, query: str) -> None:
    with pytest.raises(websockets.InvalidStatus):
        async with engine.websocket(query):
            pass


@pytest.mark.parametrize("query", ["EIO=4", "EIO=4&transport=abc"])
async def test_a_websocket_fails_with_an_invalid_transport(engine: Engine, query: str) -> None:
    with pytest.raises(websockets.InvalidStatus):
        async with engine.websocket(query):
            pass


# Engine.IO: messages


async def test_polling_sends_and_receives_one_packet(engine: Engine) -> None:
    sid = await engine.opened()
    pushed = await engine.push(sid, "40")
    assert (pushed.status_code, pushed.text) == (200, "ok")
    polled = await engine.poll(sid)
    assert polled.status_code == 200
    assert polled.text.startswith("40{")


async def test_polling_sends_and_receives_several_packets(engine: Engine) -> None:
    sid = await engine.opened()
    pushed = await engine.push(sid, f"40\x1e421{ASK}\x1e422{ASK}")
    assert (pushed.status_code, pushed.text) == (200, "ok")
    polled = await engine.poll(sid)
    assert polled.status_code == 200
    assert [packet[:3] for packet in polled.text.split("\x1e")] == ["40{", "431", "432"]


async def test_polling_sends_and_receives_binary_packets_differs(engine: Engine) -> None:
    """Refused: binary packets are not supported."""
    sid = await engine.opened()
    assert (await engine.push(sid, "40\x1ebAQIDBA==")).status_code == 400
    assert (await engine.poll(sid)).status_code == 400


async def test_polling_ends_with_an_invalid_packet(engine: Engine) -> None:
    sid = await engine.opened()
    assert (await engine.push(sid, "abc")).status_code == 400
    assert (await engine.poll(sid)).status_code == 400
    assert (await engine.push(sid, "40")).status_code == 400


async def test_polling_ends_with_two_gets_at_once(engine: Engine) -> None:
    sid = await engine.opened()
    first = asyncio.create_task(engine.poll(sid))
    await asyncio.sleep(0.2)
    second = await engine.poll(sid)
    assert ((await first).status_code, (await first).text) == (200, "1")
    assert second.status_code == 400
    assert (await engine.poll(sid)).status_code == 400


async def test_a_websocket_sends_and_receives_a_packet(engine: Engine) -> None:
    async with engine.session() as connection:
        await connection.send("40")
        assert (await heard(connection)).startswith("40{")


async def test_a_websocket_sends_and_receives_a_binary_packet_differs(engine: Engine) -> None:
    """Refused: binary packets are not supported."""
    async with engine.session() as connection:
        await connection.send(b"\1\2\3\4")
        assert await closed(connection) == 1008


async def test_a_websocket_ends_with_an_invalid_packet(engine: Engine) -> None:
    async with engine.session() as connection:
        await connection.send("abc")
        assert await closed(connection) == 1008


# Engine.IO: heartbeat


async def test_polling_is_pinged(engine: Engine) -> None:
    sid = await engine.opened()
    for _ in range(3):
        polled = await engine.poll(sid)
        assert (polled.status_code, polled.text) == (200, "2")
        assert (await engine.push(sid, "3")).status_code == 200


async def test_polling_ends_when_a_ping_is_not_answered(engine: Engine) -> None:
    sid = await engine.opened()
    await asyncio.sleep(PING_INTERVAL_S + PING_TIMEOUT_S + 0.3)
    assert (await engine.poll(sid)).status_code == 400


async def test_a_websocket_is_pinged(engine: Engine) -> None:
    async with engine.session() as connection:
        for _ in range(3):
            assert await asyncio.wait_for(connection.recv(), 10) == "2"
            await connection.send("3")


async def test_a_websocket_ends_when_a_ping_is_not_answered(engine: Engine) -> None:
    async with engine.session() as connection:
        began = asyncio.get_running_loop().time()
        assert await closed(connection) == 1008
        assert asyncio.get_running_loop().time() - began < PING_INTERVAL_S + PING_TIMEOUT_S + 0.5


# Engine.IO: close


async def test_polling_is_closed_by_the_client(engine: Engine) -> None:
    sid = await engine.opened()
    polling = asyncio.create_task(engine.poll(sid))
    await asyncio.sleep(0.2)
    assert (await engine.push(sid, "1")).text == "ok"
    assert ((await polling).status_code, (await polling).text) == (200, "6")
    assert (await engine.poll(sid)).status_code == 400


async def test_a_websocket_is_closed_by_the_client(engine: Engine) -> None:
    async with engine.session() as connection:
        await connection.send("1")
        assert await closed(connection) == 1000


# Engine.IO: upgrade


async def test_polling_is_upgraded_to_a_websocket(engine: Engine) -> None:
    """A waiting GET is released, and so is one that comes meanwhile. Each packet is sent once."""
    sid = await engine.opened()
    waiting = asyncio.create_task(engine.poll(sid))
    await asyncio.sleep(0.2)
    async with engine.websocket(f"EIO=4&transport=websocket&sid={sid}") as connection:
        await connection.send("2probe")
        assert await heard(connection) == "3probe"
        assert (await waiting).text == (await engine.poll(sid)).text == "6"
        await connection.send("5")
        await connection.send("40")
        assert (await heard(connection)).startswith("40{")


async def test_requests_after_the_upgrade_are_ignored(engine: Engine) -> None:
    async with engine.upgraded() as (sid, connection):
        assert (await engine.poll(sid)).status_code == (await engine.push(sid, "3")).status_code == 400
        await connection.send(f"427{ASK}")
        assert (await heard(connection)).startswith("437[")


async def test_another_websocket_after_the_upgrade_is_ignored(engine: Engine) -> None:
    async with engine.upgraded() as (sid, connection):
        async with engine.websocket(f"EIO=4&transport=websocket&sid={sid}") as other:
            assert await closed(other) == 1008
        await connection.send(f"427{ASK}")
        assert (await heard(connection)).startswith("437[")


# Further requirements of the protocols, which the suites do not try


async def test_two_posts_at_once_end_the_session(engine: Engine, live: ServiceProcess) -> None:
    """Engine.IO, "Sending data": 400, and close."""
    sid = await engine.opened()
    events = "\x1e".join(["40", *(f"42{number}{ASK}" for number in range(150))])
    first = asyncio.create_task(engine.push(sid, events))
    await asyncio.sleep(0.3)
    assert (await engine.push(sid, "3")).status_code == 400
    assert (await first).status_code == 200
    assert (await engine.poll(sid)).status_code == 400


async def test_only_a_waiting_get_receives_a_noop(engine: Engine) -> None:
    """Engine.IO, "Upgrade": not the websocket."""
    async with engine.upgraded() as (_, connection):
        for number in range(5):
            await connection.send(f"42{number}{ASK}")
            assert (await heard(connection)).startswith(f"43{number}[")


async def test_an_upgrade_that_is_not_completed_changes_nothing(engine: Engine) -> None:
    sid = await engine.opened()
    for says in (["2probe", "4hello"], ["5"], ["2probe"]):
        async with engine.websocket(f"EIO=4&transport=websocket&sid={sid}") as connection:
            for packet in says:
                await connection.send(packet)
            if len(says) == 2 or says == ["5"]:
                assert await closed(connection) == 1008
    assert (await engine.push(sid, "40")).text == "ok"
    assert (await engine.poll(sid)).text.startswith("40{")


async def test_a_client_that_cancels_its_get_ends_its_session(engine: Engine) -> None:
    """As with Node's server: packets would be lost with the response."""
    sid = await engine.opened()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(engine.poll(sid), 0.3)
    await asyncio.sleep(0.2)
    assert (await engine.push(sid, "3")).status_code == 400
