"""Keeps a child process running: one that ends by itself is started again after a pause."""

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

HEALTHY_AFTER_S = 10.0
LOOK_EVERY_S = 0.05


@dataclass
class Respawner:
    """One child process at a time, from `start()` to `stop()`.

    `launch` starts the process. When one has ended, or could not be started, `on_exit` is called
    with its exit code or the error, and with the pause before the next one in seconds. `on_exit`
    returns the pause to make, or None to give up. Pauses double from `first_pause_s` to
    `longest_pause_s`; a process that lived for HEALTHY_AFTER_S begins anew. At `stop` a process has
    `patience_s` to end after SIGTERM.
    """

    name: str
    launch: Callable[[], "subprocess.Popen[bytes]"]
    on_exit: Callable[[int | OSError, float], float | None]
    first_pause_s: float
    longest_pause_s: float
    patience_s: float
    _stopping: threading.Event = field(default_factory=threading.Event)
    _process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self._keeper = threading.Thread(target=self._keep_running, name=self.name, daemon=True)

    @property
    def pid(self) -> int | None:
        """The process while there is one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it; this returns at once."""
        self._keeper.start()

    def stop(self) -> None:
        """Stop it in an orderly way and wait for it. Does nothing when it was not started."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()

    def _keep_running(self) -> None:
        # A process that dies with its parent dies with the *thread* that started it. So this one
        # thread starts every process, and stays.
        pause_s = self.first_pause_s
        while not self._stopping.is_set():
            begun = time.monotonic()
            end = self._run()
            if self._stopping.is_set():
                return
            healthy = time.monotonic() - begun > HEALTHY_AFTER_S
            next_pause_s = self.first_pause_s if healthy else min(pause_s * 2, self.longest_pause_s)
            chosen_s = self.on_exit(end, next_pause_s)
            if chosen_s is None:
                return
            if chosen_s:
                pause_s = chosen_s
                self._stopping.wait(pause_s)

    def _run(self) -> int | OSError:
        """Run one process until it ends or is to stop.

        Its exit code, or why it could not be started.
        """
        try:
            self._process = process = self.launch()
        except OSError as error:
            return error
        while process.poll() is None and not self._stopping.wait(LOOK_EVERY_S):
            pass
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(self.patience_s)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.wait()
