"""Published clients of Rocket.Chat against a real service: PyPI's rocketchat_API in its two newest
versions, and npm's REST client.

And real answers against Rocket.Chat's own schemas of them, those of npm's
@rocket.chat/core-typings.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from readstate.domain.direct import TAG, direct_room
from tests.support.devices import API_KEY, CLIENT_KEY, Backend
from tests.support.node import ABSENT, npm_ci
from tests.support.processes import own_service
from tests.support.servers import short_directory

HERE = Path(__file__).parent
CALL_S = 60  # a client that never ends is what one test is about

# Version -> digest of the wheel on PyPI. 3.7.0 asks for pages until one is short; 3.7.1 asks once
# for everything.
VERSIONS = {
    "3.7.0": "77c5b98d812e665ae82088eb4c22ef78f27b6df1f7fc4274acbfc39aba98d2f7",
    "3.7.1": "ad07005312a7f68572960c4768a9a7b9512a4f60c83d15273f5917bf655d49a1",
}
_NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeout",
    "Temporary failure in name resolution",
    "ENOTFOUND",
    "EAI_AGAIN",
)

Answer = dict[str, Any]
Client = Callable[..., list[Answer]]


@pytest.fixture(scope="module", params=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def python_client(version: str) -> Iterator[Client]:
    """Runs calls through one version of rocketchat_API, which lives in a directory of its own."""
    with short_directory() as directory:
        pinned = directory / "requirements.txt"
        pinned.write_text(f"rocketchat_API=={version} --hash=sha256:{VERSIONS[version]}\n")
        options = [
            "--no-deps",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--disable-pip-version-check",
            "--retries",
            "1",
        ]
        installed(
            sys.executable, "-m", "pip", "install", *options, "--target", str(directory / "site"), "-r", str(pinned)
        )

        def run(session: Answer, *calls: Any) -> list[Answer]:
            given = json.dumps({"session": session, "calls": [_call(call) for call in calls]})
            environ = {**os.environ, "PYTHONPATH": str(directory / "site")}
            return answers(sys.executable, str(HERE / "rocketchat_client.py"), given, environ=environ)

        yield run


@pytest.fixture(scope="module")
def packages() -> Iterator[Path]:
    """The directory of the scripts that use Rocket.Chat's packages of npm."""
    if ABSENT:
        pytest.skip("Node.js and npm are not installed")
    with short_directory() as directory:
        check(npm_ci(directory, "rocketchat.js", "typings.js"))
        yield directory


@pytest.fixture(scope="module")
def node_client(packages: Path) -> Client:
    """Runs calls through @rocket.chat/api-client."""
    return lambda **asked: answers("node", str(packages / "rocketchat.js"), json.dumps(asked))


@pytest.fixture(scope="module")
def misfits(packages: Path) -> Callable[[str, list[Answer]], list[list[str]]]:
    """The parts of each value that do not fit the named schema."""

    def check_values(schema: str, values: list[Answer]) -> list[Any]:
        return answers("node", str(packages / "typings.js"), json.dumps({"schema": schema, "values": values}))

    return check_values


def installed(*command: str) -> None:
    check(subprocess.run(command, capture_output=True, text=True, timeout=240, check=False))


def check(done: subprocess.CompletedProcess[str]) -> None:
    """Whether the packages were installed. Without a network the test cannot run."""
    if done.returncode and any(sign in done.stdout + done.stderr for sign in _NO_NETWORK):
        pytest.skip("there is no network to install the client from")
    assert done.returncode == 0, done.stdout + done.stderr


def answers(*command: str, environ: dict[str, str] | None = None) -> list[Answer]:
    """What a client printed, a line for each call."""
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=CALL_S, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _call(call: Any) -> list[Any]:
    method, *arguments = call
    keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    return [method, arguments, keywords]


class World:
    """Two users in a room, with ids of this test."""

    def __init__(self, backend: Backend, mark: str) -> None:
        self.backend, self.url = backend, backend.url
        self.ann, self.bob, self.room = f"ann-{mark}", f"bob-{mark}", f"room-{mark}"
        self.tokens: dict[str, str] = {}

    def session(self, user: str) -> Answer:
        return {"server_url": self.url, "auth_token": self.tokens[user], "user_id": user}

    async def read_by(self, *users: str, message: str) -> None:
        """The backend reads in the names of both."""
        async with httpx.AsyncClient(base_url=self.url, timeout=60, headers={"IM-API-KEY": API_KEY}) as client:
            for user in users:
                headers = {"IM-CLIENT-ID": user}
                answer = await client.put(f"/rooms/{self.room}/lastRead", json={"message": message}, headers=headers)
                assert answer.status_code == 200, answer.text


@pytest.fixture
async def world(backend: Backend) -> World:
    return await peopled(backend)


@pytest.fixture
async def one_worker() -> AsyncIterator[World]:
    """The same on a service with one worker: of several, the others hear of a revoked token some
    seconds later.
    """
    with own_service(workers=1, api_key=API_KEY, client_key=CLIENT_KEY) as process:
        async with Backend(process.url) as backend:
            yield await peopled(backend)


async def peopled(backend: Backend) -> World:
    world = World(backend, secrets.token_hex(4))
    for user in (world.ann, world.bob):
        world.tokens[user] = await backend.token(user)
    await backend.call(
        "POST", "/rooms/", {"_id": world.room, "members": [world.ann, world.bob], "name": f"The {world.room}"}
    )
    return world


async def test_read_and_see_who_has(world: World, python_client: Client) -> None:
    """The whole round of a client: rooms, counters, reading, receipts, marking as unread."""
    message = await world.backend.post(world.room, world.bob)
    found = await asyncio.to_thread(
        python_client,
        world.session(world.ann),
        ("subscriptions_get",),
        ("subscriptions_get_one", world.room),
        ("channels_counters", {"room_id": world.room}),
        ("channels_counters", {"room_name": f"The {world.room}"}),
        ("subscriptions_read", world.room),
        ("subscriptions_read", world.room, {"readThreads": True}),
        ("chat_get_message_read_receipts", message),
        ("subscriptions_unread", world.room),
        ("subscriptions_unread", None, {"firstUnreadMessage": {"_id": message}}),
        ("subscriptions_get_one", world.room),
        ("subscriptions_get", {"updatedSince": "2999-01-01T00:00:00.000Z"}),
    )
    listed, one, counters, named, read, threads, receipts, unread, unread_from, marked, none = [
        line["answer"] for line in found
    ]
    assert [(each["rid"], each["unread"]) for each in listed["update"]] == [(world.room, 1)]
    assert one["subscription"]["alert"] is True
    assert counters == named
    assert {"joined", "members", "unreads", "msgs", "userMentions"} <= set(counters)
    assert (counters["joined"], counters["members"], counters["unreads"]) == (True, 2, 1)
    assert read == threads == unread == unread_from == {"success": True}
    entries = receipts["receipts"] if isinstance(receipts, dict) else receipts
    assert [entry["userId"] for entry in entries] == [world.bob, world.ann]
    assert all(entry["messageId"] == message and entry["user"]["name"] for entry in entries)
    assert (marked["subscription"]["unread"], marked["subscription"]["alert"]) == (0, True)
    assert none == {"update": [], "remove": [], "success": True}


@pytest.mark.parametrize("receipts", [50, 51, 100, 120])
async def test_everybody_is_there_once_and_the_asking_ends(world: World, python_client: Client, receipts: int) -> None:
    """With as many receipts as fill a page, one more, two pages and some.

    The sender's is one of them.
    """
    others = [f"{world.room}-{number:03d}" for number in range(receipts - 1)]
    await world.backend.add(world.room, *others)
    message = await world.backend.post(world.room, world.bob)
    await world.read_by(*others, message=message)
    (found,) = await asyncio.to_thread(
        python_client, world.session(world.ann), ("chat_get_message_read_receipts", message)
    )
    entries = found["answer"]["receipts"] if isinstance(found["answer"], dict) else found["answer"]
    assert entries[0]["userId"] == world.bob
    assert sorted(entry["userId"] for entry in entries) == sorted([world.bob, *others])
    assert [entry["ts"] for entry in entries] == sorted(entry["ts"] for entry in entries)


async def test_which_version_asks_for_pages(world: World, python_client: Client, version: str) -> None:
    """The two versions differ: one returns a generator over pages, the other an answer."""
    message = await world.backend.post(world.room, world.bob)
    (found,) = await asyncio.to_thread(
        python_client, world.session(world.ann), ("chat_get_message_read_receipts", message)
    )
    assert isinstance(found["answer"], list if version == "3.7.0" else dict)


async def test_direct_rooms(world: World, python_client: Client) -> None:
    room = direct_room(world.ann, world.bob)
    await world.backend.call("POST", "/rooms/", {"_id": room, "members": [world.ann, world.bob], "roomTags": [TAG]})
    await world.backend.post(room, world.bob)
    found = await asyncio.to_thread(
        python_client,
        world.session(world.ann),
        ("dm_counters", room),
        ("dm_counters", room, world.ann),
        ("subscriptions_get_one", room),
    )
    plain, own, one = [line["answer"] for line in found]
    assert (plain["joined"], plain["unreads"], plain["members"]) == (True, 1, 2)
    assert plain == own
    assert (one["subscription"]["t"], one["subscription"]["name"]) == ("d", world.bob)


async def test_logging_in_and_out(one_worker: World, python_client: Client) -> None:
    """The password is a token. It is worth nothing after logging out."""
    world = one_worker
    session = {"server_url": world.url, "user": world.ann, "password": world.tokens[world.ann]}
    found = await asyncio.to_thread(python_client, session, ("subscriptions_get",), ("logout",), ("subscriptions_get",))
    assert len(found[0]["answer"]["update"]) == 1
    assert found[1]["answer"]["status"] == "success"
    assert (found[2]["raised"], found[2]["error"]) == ("RocketApiException", "You must be logged in to do this.")
    (refused,) = await asyncio.to_thread(python_client, session)
    assert refused["raised"] == "RocketAuthenticationException"


async def test_logging_in_with_an_address(world: World, python_client: Client) -> None:
    """The client sends what looks like one under another name."""
    address = f"{world.ann}@example.org"
    await world.backend.call("POST", "/admin/clients", {"_id": world.ann, "email": address})
    session = {"server_url": world.url, "user": address, "password": world.tokens[world.ann]}
    (found,) = await asyncio.to_thread(python_client, session, ("subscriptions_get",))
    assert [one["rid"] for one in found["answer"]["update"]] == [world.room]


async def test_errors_as_the_python_client_understands_them(world: World, python_client: Client) -> None:
    found = await asyncio.to_thread(
        python_client,
        world.session(world.ann),
        ("subscriptions_read", "nowhere"),
        ("chat_get_message_read_receipts", "nothing"),
        ("subscriptions_unread", "nowhere"),
        ("channels_counters", {"room_id": "nowhere"}),
    )
    assert {line["raised"] for line in found} == {"RocketApiException"}
    assert [line["error_type"] for line in found] == [
        None,
        "error-invalid-message",
        "error-no-message-for-unread",
        "error-room-not-found",
    ]


async def test_the_rest_client_of_npm(world: World, node_client: Client) -> None:
    """As Rocket.Chat's web client asks. A refusal rejects the promise."""
    message = await world.backend.post(world.room, world.bob)
    found = await asyncio.to_thread(
        node_client,
        url=world.url,
        user=world.ann,
        token=world.tokens[world.ann],
        calls=[
            ["get", "/v1/subscriptions.get", {}],
            ["post", "/v1/subscriptions.read", {"rid": world.room, "readThreads": True}],
            ["get", "/v1/chat.getMessageReadReceipts", {"messageId": message}],
            ["get", "/v1/chat.getMessageReadReceipts", {"messageId": message, "offset": 1, "count": 1}],
            ["get", "/v1/channels.counters", {"roomId": world.room}],
            ["post", "/v1/subscriptions.unread", {"firstUnreadMessage": {"_id": message}}],
            ["post", "/v1/chat.readThread", {"tmid": message}],
            ["get", "/v1/subscriptions.getOne", {"roomId": world.room}],
            ["get", "/v1/chat.getMessageReadReceipts", {}],
            ["post", "/v1/subscriptions.read", {}],
        ],
    )
    listed, read, receipts, page, counters, unread, thread, one, missing, bad = found
    assert [each["unread"] for each in listed["answer"]["update"]] == [1]
    assert read["answer"] == unread["answer"] == thread["answer"] == {"success": True}
    assert [entry["userId"] for entry in receipts["answer"]["receipts"]] == [world.bob, world.ann]
    assert [entry["userId"] for entry in page["answer"]["receipts"]] == [world.ann]
    assert counters["answer"]["unreads"] == 0
    assert one["answer"]["subscription"]["alert"] is True
    assert missing == {
        "status": 400,
        "error": {"success": False, "error": "The required 'messageId' param is missing."},
    }
    assert (bad["status"], bad["error"]["errorType"]) == (400, "invalid-params")


@pytest.mark.parametrize("name", ["username", "email"])
async def test_logging_in_with_the_rest_client_of_npm(world: World, node_client: Client, name: str) -> None:
    """With the user as an object, as the types of the original have it."""
    await world.backend.call("POST", "/admin/clients", {"_id": world.ann, "email": f"{world.ann}@example.org"})
    token, user = world.tokens[world.ann], world.ann if name == "username" else f"{world.ann}@example.org"
    calls = [["post", "/v1/login", {"user": {name: user}, "password": token}]]
    (found,) = await asyncio.to_thread(node_client, url=world.url, user="", token="", calls=calls)
    assert found["answer"]["status"] == "success"
    assert (found["answer"]["data"]["userId"], found["answer"]["data"]["authToken"]) == (world.ann, token)


@pytest.mark.parametrize("method", ["post", "get"])
async def test_logging_out_with_the_rest_client_of_npm(one_worker: World, node_client: Client, method: str) -> None:
    """By GET, too, as @rocket.chat/sdk 0.2.9 does it."""
    calls = [[method, "/v1/logout", {}], ["get", "/v1/subscriptions.get", {}]]
    session = {"url": one_worker.url, "user": one_worker.ann, "token": one_worker.tokens[one_worker.ann]}
    out, gone = await asyncio.to_thread(node_client, **session, calls=calls)
    assert out["answer"]["status"] == "success"
    assert (gone["status"], gone["error"]["status"]) == (401, "error")


async def test_many_readers_for_the_rest_client_of_npm(world: World, node_client: Client) -> None:
    others = [f"{world.room}-{number:03d}" for number in range(119)]
    await world.backend.add(world.room, *others)
    message = await world.backend.post(world.room, world.bob)
    await world.read_by(*others, message=message)
    call = "/v1/chat.getMessageReadReceipts"
    pages = [
        {"messageId": message},
        *({"messageId": message, "offset": offset, "count": 50} for offset in (0, 50, 100, 150)),
    ]
    session = {"url": world.url, "user": world.ann, "token": world.tokens[world.ann]}
    found = await asyncio.to_thread(node_client, **session, calls=[["get", call, page] for page in pages])
    everybody, *paged = [[entry["userId"] for entry in line["answer"]["receipts"]] for line in found]
    assert [len(page) for page in paged] == [50, 50, 20, 0]
    assert [user for page in paged for user in page] == everybody
    assert sorted(everybody) == sorted([world.bob, *others])


async def test_answers_fit_the_schemas_of_the_original(
    world: World, misfits: Callable[[str, list[Answer]], list[list[str]]]
) -> None:
    """Subscriptions of rooms of each kind, unread, read and marked.

    Receipts of one who is known and one who is not.
    """
    ann, ghost = world.ann, f"ghost-{world.ann}"
    direct = direct_room(ann, world.bob)
    await world.backend.call("POST", "/rooms/", {"_id": direct, "members": [ann, world.bob], "roomTags": [TAG]})
    await world.backend.call("POST", "/rooms/", {"_id": f"p-{world.room}", "members": [ann], "t": "p"})
    await world.backend.add(world.room, ghost)
    message = await world.backend.post(world.room, ghost)
    headers = {"X-Auth-Token": world.tokens[ann], "X-User-Id": ann}
    async with httpx.AsyncClient(base_url=f"{world.url}/api/v1", headers=headers, timeout=60) as client:
        subscriptions = (await client.get("/subscriptions.get")).json()["update"]
        for path, body in (("read", {"rid": world.room}), ("unread", {"roomId": world.room})):
            assert (await client.post(f"/subscriptions.{path}", json=body)).status_code == 200
            answer = await client.get("/subscriptions.getOne", params={"roomId": world.room})
            subscriptions.append(answer.json()["subscription"])
        receipts = (await client.get("/chat.getMessageReadReceipts", params={"messageId": message})).json()["receipts"]
    assert (len(subscriptions), {one["t"] for one in subscriptions}) == (5, {"c", "p", "d"})
    assert [("user" in one, one["userId"]) for one in receipts] == [(False, ghost), (True, ann)]
    assert await asyncio.to_thread(misfits, "ISubscription", subscriptions) == [[]] * 5
    assert await asyncio.to_thread(misfits, "IReadReceiptWithUser", receipts) == [[]] * 2
    assert await asyncio.to_thread(misfits, "IReadReceiptWithUser", [{**receipts[0], "_updatedAt": "today"}]) != [[]]
