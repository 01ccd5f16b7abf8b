"""Background tasks: how they wait, and how they are stopped."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

from readstate.errors import Fault, Unavailable

Key = TypeVar("Key")
Result = TypeVar("Result")


async def cancel_and_wait(task: "asyncio.Task[Any] | None") -> None:
    """Cancel `task`, if there is one, and wait for its end.

    Raises what the task raised by itself.
    """
    if task is None:
        return
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def leave(futures: "Iterable[asyncio.Future[Any]]") -> None:
    """Wait no longer for these: what they end in, or have ended in, concerns no caller."""
    for future in futures:
        if not future.cancel() and not future.cancelled():
            future.exception()


class Tasks(set["asyncio.Task[Any]"]):
    """Tasks that run by themselves, until they end or all of them are stopped."""

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin a task."""
        task = asyncio.create_task(work)
        self.add(task)
        task.add_done_callback(self.discard)

    async def stop(self) -> None:
        """Cancel all tasks and wait for their ends, whatever they end in."""
        for task in self:
            task.cancel()
        await asyncio.gather(*self, return_exceptions=True)


class Shared(Generic[Key, Result]):
    """Work under way, by what it is for: who wants the same waits for the same.

    It goes on when its callers go away, until it ends or is stopped.
    """

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[Result]] = {}

    async def result(self, key: Key, work: Callable[[Key], Coroutine[Any, Any, Result]]) -> Result:
        """What `work` gives, or raises, for `key`; it begins unless it is under way.

        Raises Unavailable when it is stopped meanwhile.
        """
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.create_task(work(key))
            running.add_done_callback(partial(self._end, key))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if running.cancelled() and not (caller and caller.cancelling()):
                raise Unavailable("this part of the service has ended") from None
            raise

    async def stop(self) -> None:
        """Cancel what is under way and wait for its end, whatever that is."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _end(self, key: Key, done: "asyncio.Task[Result]") -> None:
        del self._running[key]
        leave([done])  # those who wait have it, if any still do


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep for `seconds`, or until `stop` is set."""
    # Not wait_for: on Python 3.11 it can swallow a cancellation.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def repeat(
    look: Callable[[], Awaitable[object]],
    every_s: float,
    logger: logging.Logger,
    failed: str,
    stop: asyncio.Event | None = None,
    *,
    at_once: bool = True,
) -> None:
    """Call `look` every `every_s` seconds until cancelled, or until `stop` is set.

    `at_once`: for the first time now. A failure is logged with the words `failed`, a fault that
    lasts only once, and ends nothing. That holds for a defect too: better another attempt than a
    process that never looks again.
    """
    stop, trouble = stop or asyncio.Event(), ""
    if not at_once:
        await sleep_unless(stop, every_s)
    while not stop.is_set():
        try:
            await look()
        except Fault as fault:
            if str(fault) != trouble:
                logger.warning("%s: %s", failed, fault)
            trouble = str(fault)
        except Exception:
            logger.exception(failed)
        else:
            trouble = ""
        await sleep_unless(stop, every_s)


class Backoff:
    """The pauses between attempts to connect. They double, from `first_s` to `longest_s`.

    A pause is shortened at random by up to a half, so that not all workers try at the same moment.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = self._next_s = first_s
        self._longest_s = longest_s

    async def pause(self) -> None:
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))

    def reset(self) -> None:
        """The last attempt was a success."""
        self._next_s = self._first_s
