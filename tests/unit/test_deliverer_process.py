"""The deliverer beside the workers, when it cannot be started."""

import subprocess
import sys
from typing import Any

import pytest

from readstate.process import deliverer_process
from tests.support.waiting import wait_until_now


def test_a_machine_that_is_out_of_processes_for_a_moment_ends_no_deliverer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started as soon as that is possible again."""
    told: list[str] = []
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def sometimes(_: list[str], **how: Any) -> subprocess.Popen[bytes]:
        if not told:
            raise BlockingIOError("Resource temporarily unavailable")
        started.append(start([sys.executable, "-c", "import time; time.sleep(60)"], **how))
        return started[0]

    monkeypatch.setattr(deliverer_process, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(subprocess, "Popen", sometimes)
    deliverer = deliverer_process.deliverer_process(told.append)
    deliverer.start()
    wait_until_now(lambda: bool(started), "the deliverer to be started")
    deliverer.stop()
    assert ("temporarily" in told[0], started[0].returncode) == (True, -15)
