"""The programs in JavaScript on the pages are run as written, with npm's socket.io-client."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, fresh
from tests.support.node import needs_node, npm_ci
from tests.support.processes import ServiceProcess, clean_environ, own_service
from tests.support.servers import short_directory
from tests.support.waiting import wait_until

pytestmark = needs_node

ROOT = Path(__file__).resolve().parents[2]
# What the app of the page on reconnecting has beside the program: a token, a backend, a screen.
# A line on its input is the next token, or cuts the connection.
APP = """
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const tell = (said) => process.stdout.write(JSON.stringify(said) + "\\n");
let current = "a token that has ended", gotToken;
const fetchToken = () => {
  tell({ wants: "token" });
  return new Promise((resolve, reject) => (gotToken = (token) => (token ? resolve(token) : reject())));
};
const show = (badge, rooms) => tell({ badge, rooms: [...rooms.keys()].sort() });
createInterface({ input: process.stdin }).on("line", (line) =>
  line === "cut" ? socket.io.engine.close() : gotToken(line),
);
"""


def program(page: str, containing: str) -> str:
    """The block of JavaScript on a page that has some text."""
    found: list[str] = re.findall(r"^```js\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return next(one for one in found if containing in one)


@pytest.fixture(scope="module")
def packages() -> Iterator[Path]:
    """A directory with socket.io-client in it."""
    with short_directory() as directory:
        done = npm_ci(directory)
        assert done.returncode == 0, done.stdout + done.stderr
        yield directory


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceProcess]:
    with own_service(api_key=API_KEY, client_key=CLIENT_KEY) as process:
        yield process


class Running:
    """A program, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.lines.append(line.decode().rstrip())

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def prints(self, expected: Any) -> None:
        """Wait until the last line is this, as JSON."""
        await self.until(lambda: self.lines[-1:] == [json.dumps(expected, separators=(",", ":"))], f"{expected}")

    async def until(self, condition: Callable[[], bool], describe: str) -> None:
        async def holds() -> bool:
            return condition()

        try:
            await wait_until(holds, describe)
        except AssertionError:
            raise AssertionError(f"waited for {describe} after {self.lines}") from None


@asynccontextmanager
async def running(script: Path, **environ: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        "node",
        script.name,
        cwd=script.parent,
        env=clean_environ() | environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    program = Running(process)
    try:
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await program.reader


@pytest.fixture
def script(packages: Path, service: ServiceProcess) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = packages / name
        path.write_text(text.replace("http://127.0.0.1:8080", service.url), encoding="utf-8")
        return path

    return write


async def test_a_device_comes_back_and_knows_all(service: ServiceProcess, script: Callable[[str, str], Path]) -> None:
    """After a wrong token, a cut connection, a room that it left, and the end of its token."""
    text = APP + program("docs/how-to/reconnecting.md", "useAnotherToken")
    ann, bob = fresh("ann"), fresh("bob")
    async with Backend(service.url) as backend, running(script("back.mjs", text)) as device:
        await backend.token(bob)
        await device.prints({"wants": "token"})
        token = await backend.token(ann)
        one, other = await backend.room(fresh("a"), ann, bob), await backend.room(fresh("b"), ann, bob)
        await backend.post(one, bob)
        device.say(token)
        await device.prints({"badge": 1, "rooms": [one, other]})
        await backend.post(other, bob)
        device.say("cut")
        await device.prints({"badge": 2, "rooms": [one, other]})
        await backend.remove(one, ann)
        device.say("cut")
        await device.prints({"badge": 1, "rooms": [other]})
        await backend.call("DELETE", f"/admin/clients/{ann}/token", {})
        await device.prints({"wants": "token"})
        token = await backend.token(ann)
        await backend.post(other, bob)
        device.say(token)
        await device.prints({"badge": 2, "rooms": [other]})


async def test_the_listener_of_the_readme_hears_what_it_says(
    service: ServiceProcess, script: Callable[[str, str], Path]
) -> None:
    text = program("README.md", "connect_error")
    shown = [line.removeprefix("// ") for line in text.splitlines() if line.startswith("// ")]
    async with Backend(service.url) as backend:
        tokens = {user: await backend.token(user) for user in ("ann", "ben")}
        await backend.room("garden", "ann", "ben")
        async with running(script("ann.mjs", text), TOKEN=tokens["ann"]) as listener:
            await listener.until(lambda: listener.lines == ["connected"], "its connection")
            await backend.call("POST", "/messages", {"_id": "m2", "room": "garden", "sender": "ann"})
            await listener.until(lambda: len(listener.lines) == 2, "the first notice")
            await backend.read(tokens["ben"], "garden", "m2")
            await listener.until(lambda: len(listener.lines) == 3, "the second notice")
    assert listener.lines == [line.split("     ")[0] for line in shown]
