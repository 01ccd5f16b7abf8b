"""Waiting for a condition instead of for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def wait_until(condition: Callable[[], Awaitable[bool]], describe: str, *, timeout_s: float = 10.0) -> None:
    """Return as soon as `condition` holds. Fails with "waited 10.0 s for `describe`"."""
    deadline = time.monotonic() + timeout_s
    while not await condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s for {describe}")
        await asyncio.sleep(0.01)


def wait_until_now(condition: Callable[[], bool], describe: str, *, timeout_s: float = 10.0) -> None:
    """The same without an event loop."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s for {describe}")
        time.sleep(0.01)
