"""The deliverer that `readstate serve` runs beside its workers: a process of its own, so that webhooks never slow a request."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
HEALTHY_AFTER_S = 30.0
STOP_PATIENCE_S = 10.0  # what is on the way takes at most a few seconds


class DelivererProcess:
    """`readstate deliver` with this process's environment, started again whenever it dies. `report` is told of it in a sentence,
    and `on_death` is called."""

    def __init__(self, report: Callable[[str], None], on_death: Callable[[], None] = lambda: None) -> None:
        self._report = report
        self._on_death = on_death
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep_running, name="deliverer", daemon=True)

    def start(self) -> None:
        """Start it; this returns at once."""
        self._keeper.start()

    def stop(self) -> None:
        """Stop it in an orderly way and wait for it."""
        self._stopping.set()
        self._keeper.join()

    def _keep_running(self) -> None:
        # The kernel ends the process with the thread that started it, so this one thread starts every one and stays.
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            begun = time.monotonic()
            end = self._run()
            if self._stopping.is_set():
                return
            pause_s = FIRST_PAUSE_S if time.monotonic() - begun > HEALTHY_AFTER_S else min(pause_s * 2, LONGEST_PAUSE_S)
            self._on_death()
            self._report(f"the deliverer of webhooks {end} and is started again in {pause_s:g} s; nothing is lost")
            self._stopping.wait(pause_s)

    def _run(self) -> str:
        """Run one until it ends or is to stop. Returns how it went, in words that follow its name."""
        # In a session of its own: Ctrl-C at the terminal is for us, and we stop it when the workers have stopped.
        command = [sys.executable, "-m", "readstate", "deliver", "--parent", str(os.getpid())]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        except OSError as error:
            return f"could not be started ({error})"
        return f"ended with code {self._wait_for_end(process)}"

    def _wait_for_end(self, process: "subprocess.Popen[bytes]") -> int:
        while not self._stopping.wait(0.1):
            if (code := process.poll()) is not None:
                return code
        process.terminate()
        try:
            return process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
