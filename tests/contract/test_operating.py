"""What operators see: alive, ready, measured, logged.

And what callers see when the service fails.
"""

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from litestar._openapi.plugin import OpenAPIPlugin
from litestar.exceptions import InternalServerException
from prometheus_client import multiprocess

from readstate import metrics
from readstate.dialects import health as operating
from readstate.errors import UnknownOutcome
from readstate.logs import JsonLines
from readstate.settings import Settings
from readstate.store.apps import AppRegistry
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, in_process, refusal, result
from tests.support.servers import Server
from tests.support.waiting import wait_until


@pytest_asyncio.fixture
async def fragile(own_server: Server, settings: Settings) -> AsyncIterator[Imkit]:
    """A service on that server."""
    async with in_process(msgspec.structs.replace(settings, redis_url=own_server.url)) as fragile:
        yield fragile


async def test_alive_and_ready(imkit: Imkit) -> None:
    alive, ready = await imkit.call("GET", "/healthz"), await imkit.call("GET", "/readyz")
    assert (alive.status_code, alive.text, ready.status_code, ready.text) == (
        200,
        "ok\n",
        200,
        "ready\nlayout: 2\n",
    )
    assert ready.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/schema",
        "/docs",
        "/me/badge",
        "/rooms",
        "/rooms/r",
        "/none",
        "/api/v1/none",
    ],
)
async def test_head_answers_as_get_does_without_a_body(imkit: Imkit, path: str) -> None:
    """Uptime checkers ask so."""
    await imkit.room("r", "al")
    headers = {"IM-API-KEY": API_KEY, "IM-CLIENT-ID": "al"}
    get, head = await imkit.call("GET", path, None, headers), await imkit.call("HEAD", path, None, headers)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics":  # which has changed meanwhile
        assert head.headers["content-length"] == str(len(get.content))


async def test_head_is_for_what_get_is_for(imkit: Imkit) -> None:
    assert (await imkit.call("HEAD", "/rooms/r/lastRead")).status_code == 405


async def test_the_root_says_where_the_service_is_described(imkit: Imkit) -> None:
    answer = await imkit.call("GET", "/")
    assert (answer.status_code, answer.json()["service"], answer.json()["schema"]) == (200, "readstate", "/schema")
    assert answer.json()["version"] == (await imkit.call("GET", answer.json()["schema"])).json()["info"]["version"]


async def test_a_worker_loads_forgotten_functions_when_it_looks_at_the_store(imkit: Imkit) -> None:
    """A new node of a cluster has none. No caller has to wait for them."""
    await imkit.executor.each_node("FUNCTION", "FLUSH")
    await imkit.service.parts.health.look()
    (libraries,) = await imkit.executor.each_node("FUNCTION", "LIST", "LIBRARYNAME", "readstate_*")
    assert imkit.executor.scripts["apply"].lib.name in [entry[1].decode() for entry in libraries]


async def test_without_its_store_the_service_is_alive_but_not_ready(fragile: Imkit, own_server: Server) -> None:
    """Calls are refused with 503 and a time for the next try.

    They succeed once the store is back.
    """
    await fragile.room("r", "al")
    token = await fragile.sign_in("al")
    own_server.stop()
    answer = await fragile.call("GET", "/me/badge", None, {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token})
    assert answer.content == refusal(503, "Service Unavailable", "SERVICE_UNAVAILABLE", "Nothing was done; try again")
    assert answer.headers["retry-after"] == "1"
    ready = await fragile.call("GET", "/readyz")
    assert (ready.status_code, ready.text[:10]) == (503, "not ready:")
    assert (await fragile.call("GET", "/healthz")).status_code == 200
    own_server.start()

    async def is_ready() -> bool:
        return (await fragile.call("GET", "/readyz")).status_code == 200

    await wait_until(is_ready, "the service to be ready again")
    assert await fragile.badge("al") == 0


REFUSED_WRITES = [
    # What causes it, what undoes it, and the word of the store.
    (("min-replicas-to-write", "1"), ("min-replicas-to-write", "0"), "NOREPLICAS"),
    (("REPLICAOF", "127.0.0.1", "9"), ("REPLICAOF", "NO", "ONE"), "READONLY"),
    (("save", "1 1"), ("save", ""), "MISCONF"),
    (("maxmemory", "1"), ("maxmemory", "0"), "OOM"),
]


def tell(server: Server, words: tuple[str, ...]) -> None:
    with server.client() as client:
        if words[0] == "REPLICAOF":
            client.execute_command(*words)
        else:
            client.config_set(*words)
        if words == ("save", "1 1"):
            # A snapshot that cannot be written stops all writes.
            client.set("{changed}", "v")
            (server.directory / "dump.rdb").mkdir()
            (server.directory / "dump.rdb" / "full").touch()
            client.bgsave()


@pytest.mark.parametrize(("words", "undo", "said"), REFUSED_WRITES, ids=[said for _, _, said in REFUSED_WRITES])
async def test_a_store_that_refuses_writes_is_said_in_its_own_words(
    fragile: Imkit,
    own_server: Server,
    words: tuple[str, ...],
    undo: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In /readyz, and in the log once a minute.

    A full store goes on serving: it answers, and deleting works.
    """
    monkeypatch.setattr(operating, "REUSED_S", 0)
    caplog.set_level(logging.INFO, "readstate.store.health")
    tell(own_server, words)

    async def is_said() -> bool:
        return said in (await fragile.call("GET", "/readyz")).text

    await wait_until(is_said, "the refusal to be told")
    ready = await fragile.call("GET", "/readyz")
    beginning = "ready\nlayout: 2\nwarning: the store " if said == "OOM" else "not ready: the store refuses writes: "
    assert (ready.status_code, ready.text[: len(beginning)]) == (200 if said == "OOM" else 503, beginning)
    assert [record.getMessage()[: 27 + len(said)] for record in caplog.records] == [
        f"the store refuses writes: {said} "
    ]
    tell(own_server, undo)
    if said == "MISCONF":
        shutil.rmtree(own_server.directory / "dump.rdb")
        with own_server.client() as client:
            client.bgsave()

    async def is_ready() -> bool:
        return (await fragile.call("GET", "/readyz")).text == "ready\nlayout: 2\n"

    await wait_until(is_ready, "the service to be ready again")
    assert caplog.records[-1].getMessage() == "the store takes writes again"


async def test_the_log_tells_when_the_store_is_lost_and_found(
    fragile: Imkit, own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "readstate.store.pipelined_connection")
    own_server.restart()

    def told(words: str) -> list[str]:
        return [record.levelname for record in caplog.records if record.getMessage().startswith(words)]

    async def is_found() -> bool:
        return len(told("the store is connected again, after ")) == 2

    await wait_until(is_found, "a line of the service, and one of this test's own connection")
    assert told("store connection lost") == ["WARNING"] * 2
    assert told("the store is connected again, after ") == ["INFO"] * 2


async def test_an_unknown_outcome_is_called_so(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    await imkit.room("r", "al")
    imkit.fail(monkeypatch, "mark_read", UnknownOutcome("the connection was lost"))
    answer = await imkit.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m"})
    message = "It is unknown whether this was done; ask for the present state before you repeat it"
    assert answer.content == refusal(503, "Service Unavailable", "SERVICE_UNAVAILABLE", message)
    assert answer.headers["retry-after"] == "1"


async def test_a_fault_of_ours_is_a_500_that_tells_nothing_and_is_logged_with_its_traceback(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    imkit.fail(monkeypatch, "badge", ZeroDivisionError("a secret detail"))
    answer = await imkit.as_user("al", "GET", "/me/badge")
    assert answer.content == refusal(500, "Internal Server Error", "INTERNAL_ERROR", "Something went wrong on our side")
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    failures = [line for line in lines if line["level"] == "error"]
    assert [(line["operation"], "a secret detail" in line["traceback"]) for line in failures] == [("badge", True)]


async def test_one_line_for_each_request_at_debug_and_for_each_failure_at_warning(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines of JSON, in which there is no token and no key."""
    caplog.set_level(logging.DEBUG, "readstate.app")
    await imkit.sign_in("al")
    caplog.clear()
    await imkit.as_user("al", "GET", "/me/badge")
    await imkit.as_user("al", "GET", "/rooms/none")
    imkit.fail(monkeypatch, "badge", UnknownOutcome("lost"))
    await imkit.as_user("al", "GET", "/me/badge")
    texts = [JsonLines().format(record) for record in caplog.records if record.name == "readstate.app"]
    lines = [json.loads(text) for text in texts]
    assert [(line["level"], line["operation"], line["outcome"]) for line in lines] == [
        ("debug", "badge", "ok"),
        ("debug", "room", "ROOM_NOT_FOUND"),
        ("warning", "badge", "SERVICE_UNAVAILABLE"),
    ]
    assert not any(secret in text for text in texts for secret in (imkit.tokens["al"], CLIENT_KEY, API_KEY))


@pytest.mark.parametrize("path", ["/me/badge", "/rooms/ids", "/none", "/me/badge?roomTags=%2C"])
async def test_the_id_of_a_request_is_in_its_answer(imkit: Imkit, path: str) -> None:
    """By the fast path, by the framework, and in a refusal."""
    headers = {"IM-API-KEY": API_KEY, "IM-CLIENT-ID": "al"}
    given = await imkit.call("GET", path, None, headers | {"X-Request-Id": "a1-b2/c3"})
    assert given.headers["x-request-id"] == "a1-b2/c3"
    assert "x-request-id" not in (await imkit.call("GET", path, None, headers)).headers
    for wrong in ("a" * 129, "a b", "\xe4"):
        sent = {name.encode(): value.encode("latin-1") for name, value in (headers | {"X-Request-Id": wrong}).items()}
        answer = await imkit.client.get(path, headers=sent)
        assert (answer.status_code, "x-request-id" in answer.headers) == (given.status_code, False)


async def test_the_log_has_the_ids_of_a_request_and_of_its_trace(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "readstate.app")
    headers = {"IM-API-KEY": API_KEY, "IM-CLIENT-ID": "al", "X-Request-Id": "r1"}
    trace = "0af7651916cd43dd8448eb211c80319c"
    await imkit.call("GET", "/me/badge", None, headers | {"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    await imkit.call("GET", "/me/badge", None, headers | {"traceparent": "00-none"})
    imkit.fail(monkeypatch, "badge", ZeroDivisionError())
    await imkit.call("GET", "/me/badge", None, headers)
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    assert [(line["request_id"], line.get("trace_id")) for line in lines] == [
        ("r1", trace),
        ("r1", None),
        ("r1", None),
        ("r1", None),
    ]
    assert "traceback" in lines[2]


async def test_what_administrators_do_is_in_a_log_of_its_own(imkit: Imkit, caplog: pytest.LogCaptureFixture) -> None:
    """By a command on whatever machine, and by the backend."""
    caplog.set_level(logging.INFO, "readstate.admin")
    registry = AppRegistry(imkit.executor, client_key=CLIENT_KEY, api_key=API_KEY)
    apps = imkit.services.apps
    await apps.refresh()
    for change in (registry.add("shop"), registry.rotate("shop"), registry.end_tokens("shop"), registry.remove("shop")):
        await change
        await apps.refresh()
        await apps.refresh()
    await imkit.sign_in("al")
    await imkit.as_backend("DELETE", "/admin/clients/al/token")
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "readstate.admin"]
    assert [(line["message"], line["app"]) for line in lines] == [
        ("an app was added", "shop"),
        ("the API key of an app was replaced", "shop"),
        ("all tokens of an app were ended", "shop"),
        ("an app was removed", "shop"),
        ("tokens of a user were ended", "default"),
    ]
    assert (lines[-1]["user"], lines[-1]["tokens"]) == ("al", 1)


async def test_a_worker_says_how_it_is(imkit: Imkit) -> None:
    """Its version, its memory, its processor time, and how late its event loop is."""

    async def measured() -> dict[str, float]:
        lines = [line for line in metrics.exposition().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    before = (await measured()).get("readstate_event_loop_delay_seconds_count", 0)

    async def has_looked() -> bool:
        return (await measured())["readstate_event_loop_delay_seconds_count"] > before

    await wait_until(has_looked, "a look at the event loop")
    now = await measured()
    assert now[f'readstate_build_info{{version="{version("readstate")}"}}'] == now["readstate_workers"] == 1
    assert now["readstate_worker_memory_bytes"] > 10_000_000
    assert now["readstate_worker_cpu_seconds_total"] > 0


async def test_requests_are_measured_by_operation_and_outcome(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    async def measured() -> dict[str, float]:
        text = (await imkit.call("GET", "/metrics")).text
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if not line.startswith("#")
        }

    def name(operation: str, outcome: str) -> str:
        return f'readstate_request_seconds_count{{operation="{operation}",outcome="{outcome}",surface="http"}}'

    monkeypatch.setattr(operating, "REUSED_S", 0)
    before = await measured()
    result(await imkit.as_user("al", "GET", "/me/badge"))
    await imkit.as_user("al", "GET", "/rooms/none")
    await imkit.call("GET", "/nowhere")
    await imkit.call("GET", "/me/%FF")
    after = await measured()
    for key in (
        name("badge", "ok"),
        name("room", "ROOM_NOT_FOUND"),
        name("unrouted", "NOT_FOUND"),
        name("unrouted", "INVALID_PATH"),
    ):
        assert after[key] - before.get(key, 0) == 1
    assert {"readstate_redis_round_trips_total", "readstate_open_sockets"} <= {key.partition("{")[0] for key in after}


_WORKER = """
import os, sys
from time import perf_counter
from readstate import metrics
for _ in range(3):
    metrics.observe("http", "badge", "ok", perf_counter())
metrics.OPEN_SOCKETS.inc(2)
print("counted", flush=True)
sys.stdin.read()
"""


def test_a_scrape_gives_the_sum_of_the_workers(tmp_path: Path) -> None:
    """Whichever worker is asked.

    What a worker counted outlives it. What it had open does not.
    """
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", _WORKER]
    workers = [subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"counted\n"
    workers[0].communicate()
    scrape = "from readstate import metrics; print(metrics.exposition().decode())"
    text = subprocess.run(
        [sys.executable, "-c", scrape], env=environ, capture_output=True, text=True, check=True
    ).stdout
    workers[1].communicate()
    assert 'readstate_request_seconds_count{operation="badge",outcome="ok",surface="http"} 6.0' in text
    assert "readstate_open_sockets 2.0" in text


@pytest.mark.parametrize("name", ["counter", "histogram", "gauge_livesum"])
def test_a_scrape_does_without_a_file_that_is_just_being_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A worker that starts makes its files empty, and then gives them their size."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (tmp_path / f"{name}_{os.getpid()}.db").touch()
    assert metrics.exposition() == b""


def test_two_scrapes_forget_a_dead_worker_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one finds that its files are gone already."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f"gauge_livesum_{ended.pid}.db").touch()
    forget = multiprocess.mark_process_dead

    def forget_after_another(pid: int) -> None:
        forget(pid)  # type: ignore[no-untyped-call]
        raise FileNotFoundError

    monkeypatch.setattr(metrics, "mark_process_dead", forget_after_another)
    assert metrics.exposition() == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError("a defect"), InternalServerException("a defect")])
async def test_a_failure_on_the_operators_port_is_logged(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    """As on the other one."""

    async def broken() -> str:
        raise error

    app: Any = operating.ops_app(operating.operating_handlers(broken, tuple, lambda: "2"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ops") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.text) == (500, "failed; the log says why\n")
    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert (record.levelname, record.message, record.__dict__["operation"]) == (
        "ERROR",
        "unexpected failure",
        "readyz",
    )


async def test_a_websocket_elsewhere_is_refused(imkit: Imkit) -> None:
    sent: list[dict[str, object]] = []
    scope = {
        "type": "websocket",
        "path": "/rooms",
        "raw_path": b"/rooms",
        "query_string": b"",
        "headers": [],
        "root_path": "",
    }

    async def receive() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await imkit.service(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_a_worker_makes_the_document_before_it_serves(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making it takes longer than a call may, so no caller waits for it."""
    imkit.service.make_document()
    monkeypatch.setattr(OpenAPIPlugin, "_build_openapi", lambda _: pytest.fail("made for a caller"))
    monkeypatch.setattr("readstate.dialects.http.openapi.config.described", lambda *_: pytest.fail("made for a caller"))
    assert (await imkit.call("GET", "/schema")).json()["openapi"].startswith("3.1")


async def test_slow_calls_are_in_the_log_and_cannot_fill_it(imkit: Imkit, caplog: pytest.LogCaptureFixture) -> None:
    """Of several in one second, which clients can make at will, one is told of. Others are not."""

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"_id": "ann"'
        await asyncio.sleep(1.1)
        yield b"}"

    headers = {"IM-API-KEY": API_KEY, "Content-Type": "application/json"}
    caplog.set_level(logging.INFO, "readstate.app")
    calls = [imkit.client.post("/admin/clients", content=slowly(), headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in await asyncio.gather(*calls)] == [200] * 3
    await imkit.badge("ann")
    (line,) = (record.__dict__ for record in caplog.records if record.name == "readstate.app")
    assert (line["levelname"], line["operation"], line["outcome"]) == ("WARNING", "upsert_user", "ok")
    assert 1000 < line["elapsed_ms"] < 10_000
