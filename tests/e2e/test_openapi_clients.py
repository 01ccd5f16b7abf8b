"""The document that a real service serves passes two published linters.

Two published generators make clients of it.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.devices import CLIENT_KEY, Backend
from tests.support.node import needs_node, npm_ci
from tests.support.processes import ServiceProcess
from tests.support.servers import short_directory

HERE = Path(__file__).parent
WITHIN_S = 120
TAGS = ["home", "spring"]
# Neither a word about newer versions nor one to the vendor.
QUIET = {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


def printed(*command: str, **environ: str) -> Any:
    """The JSON that a program prints."""
    done = run(*command, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory for what is installed and made, outside the checkout."""
    with short_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def document(live: ServiceProcess, place: Path) -> str:
    """The path of the document, as it is served."""
    path = place / "openapi.json"
    path.write_bytes(httpx.get(f"{live.url}/schema").raise_for_status().content)
    return str(path)


@pytest.fixture(scope="module")
def tools(place: Path) -> Path:
    """The directory of the commands of npm's packages."""
    done = npm_ci(place, "spectral.js", "redocly.yaml", "openapi_client.ts", dev=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "node_modules" / ".bin"


@pytest.fixture
async def asked(backend: Backend) -> dict[str, Any]:
    """The input of a client: its user, and a room with an unread message."""
    mark = secrets.token_hex(4)
    ann, bob, room = f"ann-{mark}", f"bob-{mark}", f"room-{mark}"
    token, _ = await backend.token(ann), await backend.token(bob)
    tags = {room: TAGS, f"other-{mark}": TAGS[:1], f"third-{mark}": []}
    for name in tags:
        await backend.call("POST", "/rooms/", {"_id": name, "members": [ann, bob], "roomTags": tags[name]})
    message, *_ = [await backend.post(name, bob) for name in tags]
    return {"url": backend.url, "clientKey": CLIENT_KEY, "token": token, "room": room, "message": message, "tags": TAGS}


def expected(asked: dict[str, Any]) -> dict[str, Any]:
    """What every client must find: three rooms, two with one tag, one with both."""
    return {
        "before": [3, 2, 1],
        "read": asked["message"],
        "after": 2,
        "readers": 1,
        "counted": [[asked["message"], 1]],
        "unknown": [404, "ROOM_NOT_FOUND"],
    }


@needs_node
def test_redocly_finds_nothing(document: str, tools: Path) -> None:
    found = printed(
        str(tools / "redocly"), "lint", document, "--config", str(HERE / "redocly.yaml"), "--format", "json", **QUIET
    )
    assert [(one["ruleId"], one["message"], one["location"]) for one in found["problems"]] == []


@needs_node
def test_spectral_finds_nothing(document: str, tools: Path, place: Path) -> None:
    assert printed("node", str(place / "spectral.js"), document) == []


@needs_node
def test_spectral_finds_nothing_in_the_document_of_events(live: ServiceProcess, tools: Path, place: Path) -> None:
    """By the rules that AsyncAPI's own parser has."""
    path = place / "asyncapi.json"
    path.write_bytes(httpx.get(f"{live.url}/schema/asyncapi.json").raise_for_status().content)
    assert printed("node", str(place / "spectral.js"), str(path)) == []


@needs_node
async def test_a_typescript_client(document: str, tools: Path, place: Path, asked: dict[str, Any]) -> None:
    """Types that the strictest compiler takes, and a program with them that reads."""
    made = await asyncio.to_thread(
        run, str(tools / "openapi-typescript"), document, "--output", str(place / "schema.d.ts")
    )
    assert (made.returncode, made.stderr) == (0, ""), made.stdout
    options = [
        "--strict",
        "--noUncheckedIndexedAccess",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--lib",
        "es2022,dom",
    ]
    compiled = await asyncio.to_thread(run, str(tools / "tsc"), *options, str(place / "openapi_client.ts"))
    assert compiled.returncode == 0, compiled.stdout
    assert await asyncio.to_thread(printed, "node", str(place / "openapi_client.js"), json.dumps(asked)) == expected(
        asked
    )


@pytest.fixture(scope="module")
def python_client(document: str, place: Path) -> Path:
    """The directory of a package `readstate_client`, which was made of the document without a
    warning.
    """
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--no-compile",
    ]
    pinned = [
        "--disable-pip-version-check",
        "--target",
        str(place / "site"),
        "-r",
        str(HERE / "openapi-python-client.txt"),
    ]
    installed = run(*pip, *pinned)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    config = place / "generator.yaml"
    config.write_text("post_hooks: []\n")  # the code is not read by people, so it need not look well
    package = place / "made" / "readstate_client"
    package.parent.mkdir()
    options = [
        "--path",
        document,
        "--config",
        str(config),
        "--meta",
        "none",
        "--output-path",
        str(package),
        "--fail-on-warning",
    ]
    made = run(sys.executable, "-m", "openapi_python_client", "generate", *options, PYTHONPATH=str(place / "site"))
    assert made.returncode == 0, made.stdout + made.stderr
    return package.parent


def test_a_python_client_has_every_call(document: str, python_client: Path) -> None:
    """Each operation has a module."""
    paths = json.loads(Path(document).read_text())["paths"]
    operations = {one["operationId"] for calls in paths.values() for one in calls.values()}
    assert {path.stem for path in python_client.glob("readstate_client/api/*/*.py")} - {"__init__"} == operations


async def test_a_python_client(python_client: Path, asked: dict[str, Any]) -> None:
    """All of it compiles without a warning, and a program with it reads."""
    strict = [sys.executable, "-W", "error"]
    compiled = await asyncio.to_thread(run, *strict, "-m", "compileall", "-q", str(python_client))
    assert compiled.returncode == 0, compiled.stdout
    program = str(HERE / "openapi_client.py")
    told = await asyncio.to_thread(printed, *strict, program, json.dumps(asked), PYTHONPATH=str(python_client))
    assert told == expected(asked)
