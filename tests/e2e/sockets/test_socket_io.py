"""The cases of the published Socket.IO protocol suite (32), one test for each.

See github.com/socketio/socket.io-protocol, `test-suite/`, and the remarks in `test_engine_io.py`.
Sixteen of its cases repeat those of Engine.IO; they are tested there.
"""

import json
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.e2e.sockets.engine import ASK, Engine, closed, heard, quick_service
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


# Socket.IO: connect


async def test_the_main_namespace_is_connected_to(engine: Engine) -> None:
    async with engine.session() as connection:
        await connection.send("40")
        text = await heard(connection)
        assert text.startswith("40")
        assert [*json.loads(text[2:])] == ["sid"]


async def test_the_main_namespace_is_connected_to_with_a_payload(engine: Engine) -> None:
    """A `token` in it is the user's: see test_authentication.py."""
    async with engine.session() as connection:
        await connection.send('40{"device":"123"}')
        text = await heard(connection)
        assert text.startswith("40")
        assert [*json.loads(text[2:])] == ["sid"]


@pytest.mark.parametrize("payload", ["", '{"token":"abc"}'], ids=["plain", "payload"])
async def test_a_custom_namespace_is_connected_to_differs(engine: Engine, payload: str) -> None:
    """Two cases. There is one namespace."""
    async with engine.session() as connection:
        await connection.send("40/custom," + payload)
        assert await heard(connection) == '44/custom,{"message":"Invalid namespace"}'


async def test_an_unknown_namespace_is_refused(engine: Engine) -> None:
    async with engine.session() as connection:
        await connection.send("40/random")
        assert await heard(connection) == '44/random,{"message":"Invalid namespace"}'


async def test_an_invalid_handshake_ends_the_connection(engine: Engine) -> None:
    async with engine.session() as connection:
        await connection.send("4abc")
        assert await closed(connection) == 1008


async def test_without_a_handshake_the_connection_ends(engine: Engine) -> None:
    """It answers no ping. With pongs it would have 30 seconds, see test_lifetime.py."""
    async with engine.session() as connection:
        assert await closed(connection) == 1008


# Socket.IO: disconnect


async def test_leaving_the_main_namespace_differs(engine: Engine) -> None:
    """In the suite the connection goes on. Here it is closed, since there is no other namespace."""
    async with engine.connected() as connection:
        await connection.send("41")
        assert await closed(connection) == 1000


async def test_connecting_to_and_leaving_a_custom_namespace_differs(engine: Engine) -> None:
    """There is none. The main namespace is not affected."""
    async with engine.connected() as connection:
        await connection.send("40/custom")
        assert await heard(connection) == '44/custom,{"message":"Invalid namespace"}'
        await connection.send("41/custom")
        await connection.send(f"427{ASK}")
        assert (await heard(connection)).startswith("437[")


# Socket.IO: messages


async def test_an_event_is_processed(engine: Engine) -> None:
    async with engine.connected() as connection:
        await connection.send('42["conf",{"encoding":"base64"},1,"2",{"3":[true]}]')
        await connection.send(f"427{ASK}")
        assert (await heard(connection)).startswith('437["eyJ')


async def test_an_event_with_an_ack_is_answered(engine: Engine) -> None:
    async with engine.connected() as connection:
        await connection.send('42456["conf",{"encoding":"rot13"},1,"2",{"3":[false]}]')
        text = await heard(connection)
        assert text.startswith("43456[")
        (answer,) = json.loads(text[5:])
        assert answer["error"]["code"] == "UNSUPPORTED_ENCODING"


@pytest.mark.parametrize("ack", ["", "789"], ids=["plain", "ack"])
async def test_an_event_with_binary_attachments_differs(engine: Engine, ack: str) -> None:
    """Two cases. Refused: binary packets are not supported."""
    async with engine.connected() as connection:
        await connection.send(f'452-{ack}["message",{{"_placeholder":true,"num":0}},{{"_placeholder":true,"num":1}}]')
        assert await closed(connection) == 1008


@pytest.mark.parametrize(
    "packet",
    ["4abc", "42{}", '42abc["message-with-ack",1,"2",{"3":[false]}]'],
    ids=["packet type", "payload format", "ack id"],
)
async def test_an_invalid_packet_ends_the_connection(engine: Engine, packet: str) -> None:
    """Three cases."""
    async with engine.connected() as connection:
        await connection.send(packet)
        assert await closed(connection) == 1008
