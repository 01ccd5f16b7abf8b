"""The load test on a real service: it runs to its end, and fails when something is wrong."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from loadtest.target import NO_RATE_LIMITS
from readstate.replay.temporary import temporary_service

ENVIRON_SIZE = {
    "LOAD_ROOMS": "2",
    "LOAD_ACCOUNTS": "4",
    "LOAD_ROOMS_EACH": "2",
    "LOAD_MESSAGES": "100",
    "LOAD_USERS": "4",
    "LOAD_LISTENERS": "1",
}


def run(module: str, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module], env=environ, capture_output=True, text=True, timeout=150, check=False
    )


def test_a_short_load_loses_and_doubles_nothing(clean_environ: dict[str, str], full: bool) -> None:
    done = run("loadtest.smoke", clean_environ if full else {**clean_environ, "LOAD_TIME": "4s"})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert " 0 missing, 0 duplicate, 0 reordered, 0 unexpected" in done.stdout
    report = Path("reports/load-smoke.html").read_text(encoding="utf-8")
    for said in (
        f"readstate {version('readstate')} at http://",
        "LOAD_USERS=16",
        " 0 missing, 0 duplicate, ",
        "<td>passed</td>",
    ):
        assert said in report.partition("<div id=")[0]
    for name in ("mark_read", "badge", "badge_and", "badges_by_tags", "rooms", "post", "notice"):
        assert f" {name} " in done.stderr


def test_load_without_a_target_says_what_is_missing(clean_environ: dict[str, str]) -> None:
    done = run("loadtest.run", clean_environ)
    assert done.returncode == 2
    assert "set LOAD_URL, LOAD_API_KEY, LOAD_CLIENT_KEY" in done.stderr


def test_failing_calls_make_the_load_fail(
    clean_environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A wrong client key: every client's call is refused with 403."""
    report = str(tmp_path_factory.mktemp("load") / "report.html")
    with temporary_service(NO_RATE_LIMITS) as service:
        target = {
            "LOAD_URL": service.url,
            "LOAD_API_KEY": service.api_key,
            "LOAD_CLIENT_KEY": "wrong",
            "LOAD_TIME": "2s",
            "LOAD_REPORT": report,
        }
        done = run("loadtest.run", clean_environ | ENVIRON_SIZE | target)
    assert done.returncode == 1
    assert "INVALID_CLIENT_KEY" in done.stdout + done.stderr


@pytest.fixture
def clean_environ() -> dict[str, str]:
    """The environment without settings of a load."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LOAD_", "READSTATE_"))}
