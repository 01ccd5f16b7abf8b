"""The official client of Socket.IO (npm's socket.io-client), as IMKit's web clients use it."""

import asyncio
import base64
import json
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, faults
from tests.support.node import needs_node, npm_ci
from tests.support.processes import ServiceProcess, own_service
from tests.support.servers import short_directory
from tests.support.waiting import wait_until

pytestmark = needs_node

REPOSITORY = Path(__file__).parents[2]

VUE = {"transports": ["websocket", "webtransport"], "forceBase64": True}  # options of the newest web client
SDK = {"transports": ["websocket"]}
PLAIN: dict[str, Any] = {}  # as in two of the documentation's examples: long-polling first


@pytest.fixture(scope="module")
def client_js() -> Iterator[Path]:
    """The client's script, beside what it needs, outside the checkout."""
    with short_directory() as directory:
        done = npm_ci(directory, "client.js")
        assert done.returncode == 0, done.stdout + done.stderr
        yield directory / "client.js"


class NodeClient:
    """One client in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.lines.append(json.loads(line))

    def send(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def ask(self, event: str, *args: Any) -> Any:
        """Send an event. Returns the one argument of its ack."""
        before = len(self._acks(event))
        self.send(emit=event, args=args, ack=True)
        await self._until(lambda: len(self._acks(event)) > before, f"an ack of {event}")
        (answer,) = self._acks(event)[-1]["args"]
        return answer

    async def acks(self, event: str, count: int) -> list[Any]:
        """The argument of each ack, once there are so many."""
        await self._until(lambda: len(self._acks(event)) >= count, f"{count} acks of {event}")
        return [argument for line in self._acks(event) for argument in line["args"]]

    async def told(self, event: str, count: int) -> list[Any]:
        """The argument of each event of this name, once there are so many."""
        await self._until(lambda: len(self._events(event)) >= count, f"{count} x {event}")
        return [argument for line in self._events(event) for argument in line["args"]]

    async def state(self, state: str) -> dict[str, Any]:
        await self._until(lambda: any(line.get("state") == state for line in self.lines), state)
        return next(line for line in self.lines if line.get("state") == state)

    async def states(self, state: str, count: int) -> None:
        """Wait until it was in that state so often."""
        await self._until(lambda: sum(line.get("state") == state for line in self.lines) >= count, f"{count} x {state}")

    def names(self) -> list[str]:
        """The names of the events, in order."""
        return [line["event"] for line in self.lines if "event" in line]

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await asyncio.wait_for(self._process.wait(), 20)
        await self._reader

    def _acks(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("ack") == event]

    def _events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == event]

    async def _until(self, condition: Any, describe: str) -> None:
        async def holds() -> bool:
            return bool(condition())

        await wait_until(holds, f"{describe} (lines: {self.lines[-5:]})", timeout_s=15)


@asynccontextmanager
async def node(
    script: Path,
    url: str,
    options: dict[str, Any],
    *,
    token: str = "",
    version: str = "",
    comes_back: bool = False,
    state: str = "connect",
) -> AsyncIterator[NodeClient]:
    """A client in that `state`.

    `comes_back`: by itself; `token`: it says `auth2` whenever it is connected; `version`: of the
    client; "" for the newest.
    """
    wishes = {**options, "reconnection": comes_back, "reconnectionDelay": 300, "reconnectionDelayMax": 600}
    argument = json.dumps({"url": url, "options": wishes, "token": token, "version": version})
    process = await asyncio.create_subprocess_exec(
        "node", str(script), argument, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    client = NodeClient(process)
    try:
        await client.state(state)
        yield client
    finally:
        await client.end()


def decoded(text: str) -> Any:
    """What `JSON.parse(atob(text))` gives, as the documentation has it: every byte is one
    character.
    """
    return json.loads(base64.b64decode(text, validate=True).decode("latin-1"))


async def test_two_devices_and_two_members_hear_receipts_in_order_raw(backend: Backend, client_js: Path) -> None:
    """Like the Vue client: no `conf`, no ack, plain objects."""
    ann, bob = f"ann-{secrets.token_hex(4)}", f"bob-{secrets.token_hex(4)}"
    token, other_token = await backend.token(ann), await backend.token(bob)
    async with (
        node(client_js, backend.url, VUE) as phone,
        node(client_js, backend.url, VUE) as laptop,
        node(client_js, backend.url, VUE) as other,
    ):
        for client, whose in ((phone, token), (laptop, token), (other, other_token)):
            client.send(emit="auth2", args=[whose, {"CLIENT_KEY": CLIENT_KEY, "Authorization": whose}])
            assert (await client.ask("auth2", whose, {}))["RC"] == 0
        room = await backend.room(f"room-{secrets.token_hex(4)}", ann, bob)
        messages = [await backend.post(room, bob, "né \U0001f600") for _ in range(3)]
        for message in messages:
            await backend.read(token, room, message)
        for client in (phone, laptop, other):
            receipts = await client.told("lastRead", 6)
            assert [receipt["messageID"] for receipt in receipts if receipt["memberID"] == ann] == messages
            assert all(set(receipt) == {"roomID", "memberID", "messageID"} for receipt in receipts)
            pushed = await client.told("chat message", 3)
            assert [message["_id"] for message in pushed] == messages
            assert {message["message"] for message in pushed} == {"né \U0001f600"}


async def test_base64_as_the_sdks_do_it(backend: Backend, client_js: Path) -> None:
    """`conf`, then `auth2`.

    Every payload is base64 of ASCII JSON, the ack of `chat message` a plain object.
    """
    ann = f"ann-{secrets.token_hex(4)}"
    token = await backend.token(ann)
    async with node(client_js, backend.url, SDK) as phone:
        assert decoded(await phone.ask("conf", {"encoding": "base64"}))["result"] == {"encoding": "base64"}
        assert decoded(await phone.ask("auth2", token, {"CLIENT_KEY": CLIENT_KEY}))["result"] == {"client": ann}
        room = await backend.room(f"room-{secrets.token_hex(4)}", ann)
        answer = await phone.ask("chat message", {"room": room, "messageType": "text", "message": "né \U0001f600"})
        assert (answer["RC"], answer["result"]["message"]) == (0, "né \U0001f600")
        (receipt,) = [decoded(text) for text in await phone.told("lastRead", 1)]
        (pushed,) = [decoded(text) for text in await phone.told("chat message", 1)]
        assert receipt == {"roomID": room, "memberID": ann, "messageID": answer["result"]["_id"]}
        assert pushed == answer["result"]
        assert [name for name in phone.names() if name != "room"] == ["chat message", "lastRead"]


async def test_a_bad_token_is_answered_before_the_close(backend: Backend, client_js: Path) -> None:
    """The client gets the reason and does not reconnect by itself."""
    async with node(client_js, backend.url, SDK) as phone:
        await phone.ask("conf", {"encoding": "base64"})
        assert decoded(await phone.ask("auth2", "nonsense", {"CLIENT_KEY": CLIENT_KEY}))["RC"] == 401
        assert (await phone.state("disconnect"))["reason"] == "io server disconnect"


async def test_a_connection_that_begins_with_long_polling(client_js: Path) -> None:
    """What is pushed before and after the move to a websocket arrives once."""
    with own_service(workers=3, api_key=API_KEY, client_key=CLIENT_KEY) as process:
        async with Backend(process.url) as backend:
            token = await backend.token("ann")
            room = await backend.room("room", "ann")
            async with (
                node(client_js, backend.url, PLAIN) as phone,
                node(client_js, backend.url, {"transports": ["polling"]}) as polls,
            ):
                assert (await polls.state("connect"))["transport"] == "polling"
                for client in (phone, polls):
                    assert (await client.ask("auth2", token, {}))["result"] == {"client": "ann"}
                messages = [await backend.post(room, "ann") for _ in range(10)]
                for client in (phone, polls):
                    assert [message["_id"] for message in await client.told("chat message", 10)] == messages
                assert (await polls.ask("auth2", "nonsense"))["RC"] == 401
                assert (await polls.state("disconnect"))["reason"] == "io server disconnect"
        assert faults(process) == []


# Clients that were away, and clients of another version


@pytest.fixture(scope="module")
def polled() -> Iterator[ServiceProcess]:
    """A service of three workers."""
    with own_service(workers=3, api_key=API_KEY, client_key=CLIENT_KEY) as process:
        yield process
        assert faults(process) == []


@pytest.mark.parametrize("way", ["auth2", "handshake"])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_what_was_said_while_offline_is_done_on_the_way_back(
    polled: ServiceProcess, client_js: Path, transport: str, way: str
) -> None:
    """The client sends it before its program knows of the connection, so before `auth2`."""
    ann, count = f"ann-{secrets.token_hex(4)}", 150
    async with Backend(polled.url) as backend:
        token = await backend.token(ann)
        room = await backend.room(f"room-{secrets.token_hex(4)}", ann)
        messages = await backend.batch(room, "bob", count)
        auth = {"auth": {"token": token}} if way == "handshake" else {}
        options = {"transports": [transport], **auth}
        async with node(client_js, polled.url, options, token="" if auth else token, comes_back=True) as phone:
            phone.send(cut=True)
            await phone.states("disconnect", 1)
            phone.send(emit="lastRead", all=[[{"room": room, "message": message}] for message in messages])
            answers = await phone.acks("lastRead", count)
            assert [answer.get("result", answer)["lastRead"] for answer in answers] == messages
            assert sum(line.get("state") == "disconnect" for line in phone.lines) == 1
        assert (await backend.call("GET", "/me/badge", token=token))["result"] == {"badge": 0}


async def test_what_is_said_in_one_turn_is_heard_whatever_the_transport(
    polled: ServiceProcess, client_js: Path
) -> None:
    """By long-polling it comes as one request."""
    ann = f"ann-{secrets.token_hex(4)}"
    async with Backend(polled.url) as backend:
        token = await backend.token(ann)
        room = await backend.room(f"room-{secrets.token_hex(4)}", ann)
        messages = await backend.batch(room, "bob", 40)
        for transport in ("polling", "websocket"):
            async with node(client_js, polled.url, {"transports": [transport], "auth": {"token": token}}) as phone:
                phone.send(emit="lastRead", all=[[{"room": room, "message": message}] for message in messages])
                assert [answer["RC"] for answer in await phone.acks("lastRead", 40)] == [0] * 40


@pytest.mark.parametrize("version", ["3.0", "4.0"])
async def test_the_oldest_clients_of_each_version_use_all_transports(
    polled: ServiceProcess, client_js: Path, version: str
) -> None:
    ann = f"ann-{secrets.token_hex(4)}"
    transports = (["websocket"], ["polling"], ["polling", "websocket"])
    async with Backend(polled.url) as backend, AsyncExitStack() as stack:
        auth = {"token": await backend.token(ann)}
        room = await backend.room(f"room-{secrets.token_hex(4)}", ann)
        phones = [
            await stack.enter_async_context(
                node(client_js, polled.url, {"transports": its_own, "auth": auth}, version=version)
            )
            for its_own in transports
        ]
        messages = []
        for phone in phones:
            messages += [await backend.post(room, ann) for _ in range(3)]
            answer = await phone.ask("lastRead", {"room": room, "message": messages[-1]})
            assert (answer["RC"], answer["result"]["lastRead"]) == (0, messages[-1])
        for phone in phones:
            assert [message["_id"] for message in await phone.told("chat message", len(messages))] == messages


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_why_a_client_is_not_let_in_is_told(polled: ServiceProcess, client_js: Path, transport: str) -> None:
    options = {"transports": [transport], "auth": {"token": "nonsense"}}
    async with node(client_js, polled.url, options, comes_back=True, state="connect_error") as phone:
        error = await phone.state("connect_error")
        assert error["reason"] == "Invalid or expired token"
        assert error["data"]["error"]["code"] == "INVALID_TOKEN"
        await asyncio.sleep(1.0)
        assert sum(line.get("state") == "connect_error" for line in phone.lines) == 1, "it comes back by itself"
    async with node(client_js, f"{polled.url}/admin", {"transports": [transport]}, state="connect_error") as phone:
        assert (await phone.state("connect_error"))["reason"] == "Invalid namespace"


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_service_that_stops_lets_its_clients_come_back(client_js: Path, transport: str) -> None:
    """At once, also clients with a waiting request, and also at the next restart."""
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
    with short_directory() as directory:
        process = ServiceProcess(directory / "data", workers=1, **keys)
        process.start()
        url = process.url
        async with Backend(url) as backend:
            token = await backend.token("ann")
        async with node(
            client_js, url, {"transports": [transport], "auth": {"token": token}}, comes_back=True
        ) as phone:
            began = time.monotonic()
            assert await asyncio.to_thread(process.stop) == 0
            assert time.monotonic() - began < 4
            assert (await phone.state("disconnect"))["reason"] == "transport close"
            assert faults(process) == []
            with ServiceProcess(directory / "data", workers=1, port=url.rpartition(":")[2], **keys):
                await phone.states("connect", 2)


async def test_the_client_of_the_documentation_follows_the_read_state(backend: Backend, client_js: Path) -> None:
    """docs/read-state-client.js, through a cut."""
    shutil.copy(REPOSITORY / "docs" / "read-state-client.js", client_js.parent)
    shutil.copy(Path(__file__).parent / "follower.js", client_js.parent)
    ann, bob = f"ann-{secrets.token_hex(4)}", f"bob-{secrets.token_hex(4)}"
    token = await backend.token(ann)
    rooms = [await backend.room(f"room-{secrets.token_hex(4)}", ann, bob) for _ in range(3)]
    script = client_js.parent / "follower.js"
    async with node(script, backend.url, SDK, token=token, comes_back=True) as phone:

        async def knows_all() -> bool:
            truth = (await backend.call("GET", "/me/readState", token=token))["result"]
            known = {room["_id"]: [room["unread"], room["roomTags"]] for room in truth["rooms"]}
            return phone.lines[-1] == {"badge": truth["badge"], "version": truth["version"], "rooms": known}

        await wait_until(knows_all, "the first answer")
        message = await backend.post(rooms[0], bob)
        await backend.call("PUT", f"/rooms/{rooms[1]}", {"roomTags": ["work"]})
        await wait_until(knows_all, "what was posted and tagged")
        assert phone.lines[-1]["badge"] == 1
        phone.send()
        await backend.read(token, rooms[0], message)
        await backend.remove(rooms[2], ann)
        await phone.states("connect", 2)
        await wait_until(knows_all, "what has happened meanwhile")
        assert phone.lines[-1]["rooms"] == {rooms[0]: [0, []], rooms[1]: [0, ["work"]]}
