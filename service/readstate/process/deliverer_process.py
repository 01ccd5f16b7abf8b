"""The deliverer that `readstate serve` runs beside its workers.

It is a process of its own, so that webhooks never slow down a request.
"""

import os
import subprocess
import sys
from collections.abc import Callable

from readstate.process.respawner import Respawner

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 4.0
STOP_PATIENCE_S = 10.0  # a delivery in progress takes at most a few seconds


def deliverer_process(report: Callable[[str], None], on_death: Callable[[], None] = lambda: None) -> Respawner:
    """`readstate deliver` with this process's environment, started again whenever it ends.

    When it ends by itself, `on_death` is called, and `report` gets a sentence about it.
    """

    def report_end(end: int | OSError, pause_s: float) -> float:
        how = f"could not be started ({end})" if isinstance(end, OSError) else f"ended with code {end}"
        on_death()
        report(f"the deliverer of webhooks {how} and is started again in {pause_s:g} s; nothing is lost")
        return pause_s

    return Respawner("deliverer", _launch, report_end, FIRST_PAUSE_S, LONGEST_PAUSE_S, STOP_PATIENCE_S)


def _launch() -> "subprocess.Popen[bytes]":
    # In a session of its own: Ctrl-C at the terminal is for us. We stop it after the workers.
    command = [sys.executable, "-m", "readstate", "deliver", "--parent", str(os.getpid())]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
