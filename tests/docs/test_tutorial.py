"""The tutorial and the how-tos do what they say: their programs and sessions are run as written."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from readstate.cli.main import _parser
from readstate.settings import Settings
from tests.support.imkit import API_KEY, CLIENT_KEY, in_process
from tests.support.processes import ServiceProcess, clean_environ
from tests.support.servers import Server, free_port, short_directory

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = (DOCS / "tutorial.md").read_text(encoding="utf-8")
MARK = "-- the next answer --"


def block(page: str, language: str, containing: str = "") -> str:
    """The first block of a page in a language that has some text."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return next(one for one in found if containing in one)


@contextmanager
def chat_backend(directory: Path, **environ: str) -> Iterator[None]:
    """The program of the tutorial, listening."""
    (directory / "chat.py").write_text(block(TUTORIAL, "python"), encoding="utf-8")
    process = subprocess.Popen([sys.executable, "chat.py"], cwd=directory, env=clean_environ() | environ)
    try:
        deadline = time.monotonic() + 30
        while not answers(f"http://127.0.0.1:{environ['PORT']}/reads"):
            assert process.poll() is None, "chat.py has ended"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.URLError:
        return False


def session() -> tuple[list[str], list[str]]:
    """The lines that a person types into the third shell, and what each call answers, or ""."""
    found = re.findall(r"^```sh\n((?:chat\(|CLIENT_KEY|until).*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
    lines: list[str] = []
    expected: list[str] = []
    for line in "".join(found).splitlines():
        if line.startswith("# "):
            expected[-1] += line.removeprefix("#")
        else:
            if line.startswith(("chat ", "curl ")) and " > " not in line:
                lines.append(f"echo '{MARK}'")
                expected.append("")
            lines.append(line)
    return lines, expected


def test_the_tutorial_goes_as_it_is_written() -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    variables = dict(re.findall(r"READSTATE_(\w+)=(\S+)", block(TUTORIAL, "sh", "make run")))
    port = str(free_port())
    settings = {name.lower(): value.replace(":9000", f":{port}") for name, value in variables.items()}
    assert settings.pop("data_dir").startswith(".")
    lines, expected = session()
    with (
        short_directory() as directory,
        ServiceProcess(directory / "data", **settings) as service,
        chat_backend(directory, READSTATE=service.url, PORT=port),
    ):
        script = "\n".join(lines).replace("CLIENT_KEY=...", f"CLIENT_KEY={service.client_key}")
        script = script.replace(":9000", f":{port}").replace("http://127.0.0.1:8080", service.url)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    given = [json.loads(answer) for answer in done.stdout.split(MARK)[1:]]
    assert len(given) >= 6
    assert given == [json.loads(answer) for answer in expected]


class Pages(BaseHTTPRequestHandler):
    """Answers one call after the other with what `answers` has."""

    answers: ClassVar[list[tuple[int, bytes]]] = []
    asked: ClassVar[list[str]] = []

    def do_DELETE(self) -> None:
        Pages.asked.append(self.path)
        status, body = Pages.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)


def test_the_loop_that_erases_goes_on_to_the_last_page_and_ends_at_an_error() -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    loop = block((DOCS / "people.md").read_text(encoding="utf-8"), "sh", "api DELETE")
    Pages.asked.clear()
    Pages.answers[:] = [
        (200, b'{"RC":0,"RM":"OK","result":{"client":"ada","name":"e","rooms":1,"next":"p1"}}'),
        (200, b'{"RC":0,"RM":"OK","result":{"client":"ada","name":"e","rooms":1,"next":null}}'),
        (401, b'{"RC":401}'),
    ]
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script = loop.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{server.server_port}")
        for _ in range(2):
            subprocess.run(["bash", "-c", script], capture_output=True, timeout=20, check=False)
        server.shutdown()
    first = "/admin/people/ada?page="
    assert Pages.asked == [first, f"{first}p1", first]


async def test_a_push_has_the_badge_of_each_user(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of the how-to, with calls to a service in this process."""
    program: dict[str, Any] = {}
    exec(compile(block((DOCS / "how-to" / "push.md").read_text(), "python"), "push.md", "exec"), program)
    loop = asyncio.get_running_loop()
    sent: list[tuple[str, int, str | None]] = []

    async def send(user: str, badge: int, text: str | None) -> None:
        sent.append((user, badge, text))

    settings = Settings(redis_url=server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
    async with in_process(settings) as imkit:

        def badges(_: str, api_key: str, users: list[str]) -> dict[str, int]:
            assert api_key == API_KEY
            asked = imkit.as_backend("POST", "/badges", {"clients": users})
            answer = asyncio.run_coroutine_threadsafe(asked, loop).result(10)
            return {one["client"]: one["badge"] for one in answer.json()["result"]["data"]}

        monkeypatch.setitem(program, "badges", badges)
        await imkit.room("r", "al", "bo")
        await imkit.post("r", "al", "m1")
        pushes = program["Pushes"]("", API_KEY, send, wait_s=0.01)
        pushes.add("bo", "hello")
        pushes.add("bo")
        pushes.add("al")
        await pushes.flush
    assert sorted(sent) == [("al", 0, None), ("bo", 1, "hello")]
    assert program["for_apns"](0, None) == {"aps": {"badge": 0, "content-available": 1}}
    assert program["for_apns"](1, "hello") == {"aps": {"badge": 1, "alert": "hello"}}
    assert program["for_fcm"]("t", 1, "hello")["message"]["data"] == {"badge": "1"}


def test_the_commands_on_the_pages_are_there() -> None:
    """With the arguments that the pages give them."""
    lines = []
    for page in DOCS.rglob("*.md"):
        for shown in re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            lines += re.findall(r"^readstate ([^#\n]+)", shown, re.MULTILINE)
    for page in (DOCS / "how-to").glob("*.md"):
        lines += re.findall(r"`readstate ([^`]+)`", page.read_text(encoding="utf-8"))
    assert len(lines) > 8
    for line in lines:
        words = re.sub(r"\bN\b", "7", line.replace(" ...", "")).split()
        assert callable(_parser(words).parse_args(words).run), line
