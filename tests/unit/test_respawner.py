"""A child process that ends is started again after a pause, until it is told to stop or given
up.
"""

import subprocess
import sys

import pytest

from readstate.process import respawner
from readstate.process.respawner import Respawner
from tests.support.waiting import wait_until_now

ENDS_AT_ONCE = [sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"]
STAYS = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]


def test_pauses_double_up_to_the_longest() -> None:
    """A process that cannot live costs the machine less and less."""
    ends: list[tuple[int | OSError, float]] = []

    def note(end: int | OSError, pause_s: float) -> float | None:
        ends.append((end, pause_s))
        return pause_s if len(ends) < 4 else None

    child = Respawner(
        "child",
        lambda: subprocess.Popen(ENDS_AT_ONCE),
        note,
        first_pause_s=0.01,
        longest_pause_s=0.05,
        patience_s=5,
    )
    child.start()
    wait_until_now(lambda: len(ends) == 4, "the child to be given up")
    child.stop()
    assert ends == [(3, 0.02), (3, 0.04), (3, 0.05), (3, 0.05)]


def test_a_process_that_lived_long_begins_with_the_first_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """One crash a day is no reason for a long pause."""
    pauses: list[float] = []
    monkeypatch.setattr(respawner, "HEALTHY_AFTER_S", -1.0)

    def note(_: int | OSError, pause_s: float) -> float | None:
        pauses.append(pause_s)
        return pause_s if len(pauses) < 2 else None

    child = Respawner(
        "child", lambda: subprocess.Popen(ENDS_AT_ONCE), note, first_pause_s=0.01, longest_pause_s=1, patience_s=5
    )
    child.start()
    wait_until_now(lambda: len(pauses) == 2, "the child to be given up")
    child.stop()
    assert pauses == [0.01, 0.01]


def test_stopping_ends_the_process_and_starts_no_other() -> None:
    """`pid` names it while it runs."""
    ends: list[int | OSError] = []
    child = Respawner(
        "child",
        lambda: subprocess.Popen(STAYS),
        lambda end, _: ends.append(end),
        first_pause_s=0.01,
        longest_pause_s=1,
        patience_s=5,
    )
    child.start()
    wait_until_now(lambda: child.pid is not None, "the child to run")
    child.stop()
    assert (child.pid, ends) == (None, [])
