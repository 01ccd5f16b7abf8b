"""How a worker itself is: how late its event loop is, its memory and its processor time."""

import asyncio
import os
import resource
import time
from pathlib import Path
from typing import Final

from readstate import metrics

EVERY_S: Final = 0.25  # between two looks at the event loop
_LOOKS: Final = 20  # between two looks at memory and processor time
_STATM: Final = Path("/proc/self/statm")


async def keep_measuring(version: str) -> None:
    """Measure until cancelled. `version`: of the service."""
    metrics.BUILD_INFO.labels(version).set(1)
    metrics.WORKERS.set(1)
    counted_s = 0.0
    while True:
        counted_s = _measure_process(counted_s)
        for _ in range(_LOOKS):
            due_s = time.monotonic() + EVERY_S
            await asyncio.sleep(EVERY_S)
            metrics.EVENT_LOOP_DELAY.observe(max(0.0, time.monotonic() - due_s))


def _measure_process(counted_s: float) -> float:
    """Note the memory, and the processor time beyond `counted_s`. Returns all of that time."""
    if _STATM.exists():
        metrics.WORKER_MEMORY.set(int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    used_s = used.ru_utime + used.ru_stime
    metrics.WORKER_CPU.inc(used_s - counted_s)
    return used_s
