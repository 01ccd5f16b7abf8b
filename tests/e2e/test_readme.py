"""The shell sessions on the pages are what a service answers, but for times."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from readstate.settings import Settings
from tests.support.imkit import API_KEY, CLIENT_KEY
from tests.support.served import served
from tests.support.servers import Server, short_directory

ROOT = Path(__file__).resolve().parents[2]
MARK = "-- the next answer --"
# Pages that are gone through one after the other, on a service of their own.
SESSIONS = [
    ["README.md", "docs/imkit.md", "docs/quick-start.md", "docs/how-to/tokens.md"],
    ["docs/quick-start.md", "docs/how-to/tokens.md"],
]
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TIMES = (
    (re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"'), '"a time"'),
    (re.compile(r"(?<=MS\":)\d{13}\b"), "a time"),
)


@pytest.fixture
def url() -> Iterator[str]:
    """An empty service."""
    with short_directory() as directory:
        server = Server(directory / "one")
        server.start()
        with served(
            Settings(redis_url=server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
        ) as url:
            yield url
        server.stop()


def session(pages: list[str]) -> list[str]:
    """The lines of all blocks that call `api`."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in pages]
    return [
        line
        for text in texts
        for block in _BLOCK.findall(text)
        if re.search("^api ", block, re.MULTILINE)
        for line in block.splitlines()
    ]


def without_times(text: str) -> str:
    for pattern, name in _TIMES:
        text = pattern.sub(name, text)
    return text


@pytest.mark.parametrize("pages", SESSIONS, ids=lambda pages: pages[0])
def test_a_session_in_a_shell_goes_as_it_is_written(url: str, pages: list[str]) -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    lines, expected = [], []
    for line in session(pages):
        if line.startswith("api "):
            lines.append(f"echo '{MARK}'")
            expected.append("")
        if line.startswith("# "):
            expected[-1] += line.removeprefix("#").strip()
        else:
            lines.append(line)
    script = "\n".join(lines).replace("API_KEY=...", f"API_KEY={API_KEY}").replace("http://127.0.0.1:8080", url)
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60, check=True)
    answers = [answer.strip() for answer in done.stdout.split(MARK)[1:]]
    assert len(answers) == len(expected)
    assert sum(map(bool, expected)) >= 4
    for answer, shown in zip(answers, expected, strict=True):
        assert answer.startswith('{"RC":0,"RM":"OK",')
        assert not shown or without_times(answer) == without_times(shown)
