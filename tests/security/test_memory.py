"""The store's memory is limited, warnings come in time, and a full store answers and deletes."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio
import redis

from readstate import metrics, parts
from readstate.dialects import health as operating
from readstate.errors import Invalid, StoreFull
from readstate.process import machine
from readstate.process.embedded import socket_path
from readstate.settings import Settings
from readstate.store.apps import AppRegistry
from readstate.store.connect import connect
from readstate.store.health import MemoryHealth
from tests.support.devices import API_KEY, CLIENT_KEY, faults
from tests.support.imkit import Imkit, refusal, result
from tests.support.processes import ServiceProcess
from tests.support.rocketchat import Rocketchat, failed, seen
from tests.support.servers import Server, short_directory
from tests.support.tencent import Tencent, said, with_tencent
from tests.support.tencent_callbacks import Tencent as TencentCallbacks
from tests.support.tencent_callbacks import direct_sent, fail, with_callbacks
from tests.support.waiting import wait_until

FULL = "The store is full: nothing was done. What is there can be asked for and deleted"
UNKNOWN = "It is unknown whether this was done; ask for the present state before you repeat it"
REFUSED, PARTLY_DONE = (refusal(503, "Service Unavailable", "SERVICE_UNAVAILABLE", why) for why in (FULL, UNKNOWN))


@pytest.fixture
def nodes(nodes: list[Server]) -> Iterator[list[Server]]:
    """Their memory has no limit after the test."""
    yield nodes
    limit(nodes, 0)


@pytest.fixture
def settings(settings: Settings, nodes: list[Server]) -> Settings:
    """With every dialect."""
    return with_callbacks(with_tencent(msgspec.structs.replace(settings, redis_url=nodes[0].url)))


def limit(nodes: list[Server], maxmemory: int) -> None:
    for node in nodes:
        with node.client() as client:
            client.config_set("maxmemory", maxmemory)


def limit_share(nodes: list[Server], share: float) -> None:
    """Have every node use `share` of its limit."""
    for node in nodes:
        with node.client() as client:
            client.config_set("maxmemory", int(client.info("memory")["used_memory"] / share))


@pytest_asyncio.fixture
async def filled(imkit: Imkit, nodes: list[Server]) -> AsyncIterator[Imkit]:
    """Rooms with messages, and no memory for anything more."""
    for room in ("garden", "attic", "shed"):
        await imkit.room(room, "al", "bo", "cy")
        for message in ("m1", "m2", "m3"):
            await imkit.post(room, "al", f"{room}-{message}")
    await Tencent(imkit).conversation("al", "bo", ("al", "k1", 0))
    for user in ("al", "bo", "cy"):
        await imkit.sign_in(user)
    limit(nodes, 1)
    yield imkit


async def test_a_full_store_refuses_at_once_what_needs_memory_and_says_so(filled: Imkit) -> None:
    """In IMKit's form: 503, the time of the next try, and nothing was done.

    The service does not retry.
    """
    before = await filled.everything() if len(filled.executor.nodes()) == 1 else {}
    post = {"room": "garden", "sender": "al", "message": "more", "messageType": "text"}
    begun = time.monotonic()
    for answer in (
        await filled.as_backend("POST", "/messages", post),
        await filled.as_backend("POST", "/rooms/", {"_id": "cellar", "members": ["al"]}),
        await filled.as_backend("POST", "/rooms/garden/members", {"invitees": ["dee"]}),
        await filled.as_backend("POST", "/admin/clients", {"_id": "dee", "nickname": "Dee"}),
        await filled.as_user("bo", "PUT", "/rooms/garden/lastRead", {"message": "garden-m1"}),
    ):
        assert (answer.status_code, answer.content) == (503, REFUSED)
        assert answer.headers["retry-after"] == "30"
    assert time.monotonic() - begun < 2
    if before:
        assert await filled.everything() == before


async def test_a_full_store_refuses_in_the_form_of_each_dialect(filled: Imkit) -> None:
    answer = await Rocketchat(filled).post("bo", "subscriptions.read", {"rid": "garden"})
    assert seen(answer) == failed(FULL, status=503)
    assert answer.headers["retry-after"] == "30"
    read = {"Report_Account": "bo", "Peer_Account": "al"}
    assert said(await Tencent(filled).call("openim/admin_set_msg_read", read))["ErrorInfo"] == FULL
    told = await TencentCallbacks(filled).send(*direct_sent("bo", "al", 1))
    assert (told.status_code, told.content, told.headers["retry-after"]) == (503, fail(FULL), "30")


async def test_a_full_store_answers_every_question(filled: Imkit) -> None:
    assert await filled.badge("bo") == 10
    assert len(result(await filled.as_user("bo", "GET", "/rooms"))["data"]) == 4
    assert result(await filled.as_user("bo", "GET", "/rooms/garden"))["unread"] == 3
    receipts = result(
        await filled.as_user("al", "GET", "/rooms/garden/messages/garden-m1/receipts", params={"filter": "unread"})
    )
    assert {person["client"] for person in receipts["data"]} == {"bo", "cy"}
    assert (await Rocketchat(filled).get("bo", "subscriptions.get")).status_code == 200


async def test_a_full_store_lets_everything_be_deleted_and_then_heals(filled: Imkit, nodes: list[Server]) -> None:
    """Messages, members, rooms and tokens; every count is right meanwhile and after."""
    result(await filled.as_backend("DELETE", "/rooms/garden/messages/garden-m1"))
    assert await filled.badge("bo") == 9
    result(await filled.as_backend("POST", "/rooms/attic/delete/members", {"members": ["bo"]}))
    assert await filled.badge("bo") == 6
    result(await filled.as_backend("DELETE", "/rooms/shed"))
    assert await filled.badge("bo") == 3
    result(await filled.as_backend("DELETE", "/admin/clients/bo/token"))
    assert (await filled.as_user("bo", "GET", "/me/badge")).status_code == 401
    limit(nodes, 0)
    await filled.post("garden", "al", "garden-m4")
    assert await filled.badge("cy") == 6
    read_state = filled.services
    for user in ("al", "bo", "cy"):
        assert await read_state.audit.audit_user(app="default", user=user, repair=False) == []


async def test_a_thief_is_locked_out_although_the_store_is_full(filled: Imkit, nodes: list[Server]) -> None:
    """The one who filled it can be stopped: tokens end, a key is rotated, an app is removed."""
    registry: AppRegistry = filled.services.apps
    limit(nodes, 0)
    stolen = await registry.add("stolen")
    await registry.add("shut")
    limit(nodes, 1)
    await registry.end_tokens("default")
    rotated = await registry.rotate("stolen")
    await registry.remove("shut")
    await registry.refresh()
    assert (await filled.as_user("bo", "GET", "/me/badge")).status_code == 401
    assert registry.by_api_key(stolen.api_key.encode()) is None
    known = registry.by_api_key(rotated.api_key.encode())
    assert known is not None
    assert known.app == "stolen"
    assert registry.get("shut") is None
    limit(nodes, 0)
    with pytest.raises(Invalid):
        await registry.add("shut")


# Warnings


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service checks the memory several times a second, and does not reuse answers."""
    monkeypatch.setattr(operating, "REUSED_S", 0)
    monkeypatch.setattr(parts, "STORE_EVERY_S", 0.1)


async def test_a_store_that_is_nearly_full_is_told_of_where_operators_look(
    often: None, imkit: Imkit, nodes: list[Server]
) -> None:
    """In /readyz, which still says yes, and in the metrics."""
    limit_share(nodes, 0.5)

    async def looked() -> bool:
        return measured("readstate_store_memory_limit_bytes", (await imkit.call("GET", "/metrics")).text) > 0

    await wait_until(looked, "the limit to be measured")
    assert (await imkit.call("GET", "/readyz")).text == "ready\nlayout: 2\n"

    async def warned() -> bool:
        limit_share(nodes, 0.9)  # again and again: servers free memory of earlier tests meanwhile
        return (await imkit.call("GET", "/readyz")).text.count("warning") == len(nodes)

    await wait_until(warned, "readiness to warn")
    ready = await imkit.call("GET", "/readyz")
    assert ready.status_code == 200
    first, layout, *warnings, end = ready.text.split("\n")
    assert (first, layout, end, len(warnings)) == ("ready", "layout: 2", "", len(nodes))
    for warning, node in zip(warnings, sorted(nodes, key=lambda node: node.url), strict=True):
        where = f"the store at 127.0.0.1:{node.port} has used" if len(nodes) > 1 else "the store has used"
        assert warning.startswith(f"warning: {where} ")
        assert "% of its memory (" in warning

    async def measured_so() -> bool:  # what was measured is answered for a moment
        text = (await imkit.call("GET", "/metrics")).text
        used, most = (
            measured("readstate_store_memory_bytes", text),
            measured("readstate_store_memory_limit_bytes", text),
        )
        return 0.8 <= used / most < 1

    await wait_until(measured_so, "the numbers to say so")
    limit(nodes, 0)

    async def calm() -> bool:
        return (await imkit.call("GET", "/readyz")).text == "ready\nlayout: 2\n"

    await wait_until(calm, "readiness to be calm again")


def measured(name: str, text: str) -> float:
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


async def test_the_log_tells_of_it_once_and_again_every_ten_minutes(
    nodes: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    executor = await connect(nodes[0].url)
    memory = MemoryHealth(executor)
    caplog.set_level(logging.WARNING, "readstate.store.health")
    await memory.check()
    assert memory.warnings() == []
    limit_share(nodes, 0.9)
    for _ in range(3):
        await memory.check()
    assert [record.getMessage() for record in caplog.records] == memory.warnings()
    assert len(memory.warnings()) == len(nodes)
    # A server that stays near the line does not cross it again and again.
    limit_share(nodes, 0.78)
    await memory.check()
    limit_share(nodes, 0.85)
    await memory.check()
    assert len(caplog.records) == len(nodes)
    limit_share(nodes, 0.5)
    await memory.check()
    assert memory.warnings() == []
    limit_share(nodes, 0.9)
    await memory.check()
    assert len(caplog.records) == 2 * len(nodes)
    memory._logged_at = dict.fromkeys(memory._logged_at, time.monotonic() - 601)
    await memory.check()
    assert len(caplog.records) == 3 * len(nodes)
    await executor.close()


def test_each_worker_measures_and_the_newest_look_counts(tmp_path: Path) -> None:
    """A dead worker leaves nothing behind."""
    look = (
        "import sys; from readstate import metrics; metrics.STORE_MEMORY.set(int(sys.argv[1])); "
        "print(flush=True); sys.stdin.read()"
    )
    environ = os.environ | {metrics.DIRECTORY_VARIABLE: str(tmp_path)}
    workers = []
    for used in ("700", "500"):
        worker = subprocess.Popen(
            [sys.executable, "-c", look, used], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"\n"
        workers.append(worker)

    def scrape() -> float:
        command = [sys.executable, "-c", "from readstate import metrics; print(metrics.exposition().decode())"]
        return measured(
            "readstate_store_memory_bytes",
            subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout,
        )

    assert scrape() == 500
    workers[1].communicate()
    assert scrape() == 700
    workers[0].communicate()


# The embedded store


def test_the_embedded_store_fills_refuses_cleanly_and_starts_again_to_be_emptied() -> None:
    """Filled with rooms of invented users.

    It starts again with even less memory. Deleting frees memory there.
    """
    with short_directory() as directory:
        keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
        process = ServiceProcess(directory / "data", embedded_memory_mb=70, user_room_limit=100_000, **keys)
        with process, embedded_client(process) as client, backend_of(process) as backend:
            assert client.config_get("maxmemory")["maxmemory"] == str(70 * 1024 * 1024)
            for number in range(55):
                client.set(f"filler:{number}", b"x" * 1024 * 1024)
            made = fill(backend)
            assert made > 3
            assert "warning: the store has used" in wait_for_warning(backend)
        assert faults(process) == []
        assert any("the store has used" in line for line in process.logged)

        again = ServiceProcess(directory / "data", embedded_memory_mb=64, user_room_limit=100_000, **keys)
        with again, embedded_client(again) as client, backend_of(again) as backend:
            assert any("the server is full and refuses whatever needs memory" in line for line in again.logged)
            assert backend.post("/rooms/", json=room_of_many(-1)).status_code == 503
            before = client.info("memory")["used_memory"]
            for number in range(made):
                assert backend.delete(f"/rooms/room-{number}").status_code == 200
            assert client.info("memory")["used_memory"] < before - made * 50_000
            client.delete(*(f"filler:{number}" for number in range(55)))
            assert backend.post("/rooms/", json=room_of_many(-1)).status_code == 200
            assert backend.get("/me/badge", headers={"IM-CLIENT-ID": "ghost--1-0"}).json()["result"] == {"badge": 0}
        assert faults(again) == []


def embedded_client(process: ServiceProcess) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket_path(process.data_dir)), decode_responses=True)


def backend_of(process: ServiceProcess) -> httpx.Client:
    return httpx.Client(base_url=process.url, headers={"IM-API-KEY": API_KEY}, timeout=20)


def room_of_many(number: int) -> dict[str, object]:
    return {"_id": f"room-{number}", "members": [f"ghost-{number}-{member}" for member in range(990)]}


def fill(backend: httpx.Client) -> int:
    """Make rooms until the store is full. Returns their number."""
    for number in range(1000):
        answer = backend.post("/rooms/", json=room_of_many(number))
        if answer.status_code != 200:
            # Members come in parts, of which the first may be there.
            is_begun = backend.get(f"/rooms/room-{number}").status_code == 200
            assert (answer.status_code, answer.content) == (503, PARTLY_DONE if is_begun else REFUSED)
            return number
    raise AssertionError("the store takes everything")


def wait_for_warning(backend: httpx.Client) -> str:
    deadline = time.monotonic() + 20
    while "the store has used" not in (ready := backend.get("/readyz")).text:
        assert time.monotonic() < deadline, ready.text
        time.sleep(0.2)
    assert ready.status_code == 200
    return ready.text


# What the machine has


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/meminfo": "MemTotal:  8388608 kB\n"}, 8 << 30),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, 1 << 30),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/memory.max": "2147483648\n",
            },
            2 << 30,
        ),
        ({"proc/self/cgroup": "0::/gone\n", "sys/fs/cgroup/memory.max": "1073741824\n"}, 1 << 30),
        (
            {
                "proc/self/cgroup": "5:cpu:/x\n4:memory:/x\n0::/\n",
                "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "536870912\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            1 << 29,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999999\n"}, 8 << 30),
    ],
    ids=["machine", "v2", "v2 above", "v2 in a container", "v1", "more than there is"],
)
def test_a_share_of_the_memory_is_of_what_the_container_may_use(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    for name, content in {"proc/meminfo": "MemTotal:  8388608 kB\n", **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert machine.memory_bytes(tmp_path) == expected


def test_without_any_of_these_files_the_system_is_asked(tmp_path: Path) -> None:
    assert machine.memory_bytes(tmp_path) > 1 << 28


async def test_a_full_store_that_lacks_the_functions_says_what_to_do(nodes: list[Server]) -> None:
    """As after an upgrade: loading them needs memory."""
    limit(nodes, 1)
    for node in nodes:
        with node.client() as client:
            client.function_flush()
    with pytest.raises(StoreFull, match="cannot take the functions of this version: give it more memory"):
        await connect(nodes[0].url)
