"""The deliverer that `readstate serve` runs beside its workers.

It is a process of its own, so that webhooks never slow down a request.
"""

import os
import subprocess
import sys
from collections.abc import Callable

from readstate.process.respawner import Respawner

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STOP_PATIENCE_S = 10.0  # a delivery in progress takes at most a few seconds


class DelivererProcess(Respawner):
    """`readstate deliver` with this process's environment, started again whenever it ends.

    When it ends by itself, `on_death` is called, and `report` gets a sentence about it.
    """

    def __init__(self, report: Callable[[str], None], on_death: Callable[[], None] = lambda: None) -> None:
        self._report = report
        self._on_death = on_death
        super().__init__(
            "deliverer",
            _launch,
            self._report_end,
            first_pause_s=FIRST_PAUSE_S,
            longest_pause_s=LONGEST_PAUSE_S,
            patience_s=STOP_PATIENCE_S,
        )

    def _report_end(self, end: int | OSError, pause_s: float) -> float:
        how = f"could not be started ({end})" if isinstance(end, OSError) else f"ended with code {end}"
        self._on_death()
        self._report(f"the deliverer of webhooks {how} and is started again in {pause_s:g} s; nothing is lost")
        return pause_s


def _launch() -> "subprocess.Popen[bytes]":
    # In a session of its own: Ctrl-C at the terminal is for us. We stop it after the workers.
    command = [sys.executable, "-m", "readstate", "deliver", "--parent", str(os.getpid())]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
