"""Takes events from where they wait and sees that each reaches the receiver, or becomes a dead letter.

Several deliverers may run, in as many processes; each tends its share of the shards. What a deliverer holds in memory is only what is
on the way at this moment. Everything else, retries included, is kept with the events, so nothing is lost when it is killed, and what it
was sending is sent again.

Within a shard different pairs (a member in a room) go out side by side and each pair one event at a time: so the events of a pair stay
in order, and a room whose events fail holds up no other one.
"""

import asyncio
import logging
import random
from asyncio import Task
from collections.abc import Awaitable, Callable
from time import time

from readstate import metrics
from readstate.domain.deliveries import Batch, Dead, Delivered, Due, Events, Outcome, Postponed
from readstate.domain.events import ReadEvent
from readstate.errors import Fault
from readstate.tasks import sleep_unless
from readstate.webhooks.forms import Answer, Choice, Form, WebhookRequest
from readstate.webhooks.sender import MAX_CONNECTIONS, TIMEOUT_S, Sender

logger = logging.getLogger(__name__)

MAX_PER_SHARD = 32  # on the way at once
TEND_S = 0.5  # between two looks at who tends which shards
HURRY_S, BUSY_S, IDLE_S = (
    0.003,
    0.01,
    0.1,
)  # between two looks at a shard: there is more; something is on the way; nothing is
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 600.0  # between attempts
MAX_PAUSE_S = 60.0  # for all, when a receiver asks for time
OUR_FAULT_WAIT_S = 1.0
_Pair = tuple[str, str, str]


def wait_s(attempts: int, retry_after_s: float = 0.0) -> float:
    """How long to wait after the attempt that follows `attempts` failed ones: doubling, with jitter; never less than was asked for."""
    longest = min(FIRST_WAIT_S * 2.0 ** min(attempts, 20), LONGEST_WAIT_S)
    return max(longest * random.uniform(0.5, 1.0), retry_after_s)


class Deliverer:
    """See the module. `run` it inside the running loop.

    `target` names the receiver's URL without showing it; `retry_s` is how long an event may fail before it becomes a dead letter.
    """

    def __init__(self, events: Events, choose: Choice, sender: Sender, *, target: str, retry_s: float) -> None:
        self._events = events
        self._choose = choose
        self._sender = sender
        self._target = target
        self._retry_ms = retry_s * 1000
        self._tending: dict[int, _Shard] = {}
        self._leaving: dict[int, Task[None]] = {}
        self._free = MAX_CONNECTIONS
        self._paused_until = 0.0
        self.is_refused = False  # the receiver said that it wants no more

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then finish what is on the way and give the shards up."""
        try:
            while not stop.is_set():
                try:
                    await self._share_out()
                except Fault as fault:
                    logger.warning("webhooks: the shards could not be shared out: %s", fault)
                except Exception:
                    # A fault of ours, perhaps in one shard. The others must be tended all the same.
                    logger.exception("webhooks: the shards could not be shared out")
                await sleep_unless(stop, TEND_S)
        finally:
            await asyncio.gather(*self._leaving.values(), *(shard.stop() for shard in self._tending.values()))
            await _ignoring_faults(self._events.depart())

    async def _share_out(self) -> None:
        """Leave what is more than our share of the shards, and try to hold what is missing from it."""
        deliverers, refusing = await self._events.share()
        self.is_refused = refusing == self._target
        self._tending = {number: shard for number, shard in self._tending.items() if shard.is_held}
        share = -(-self._events.shards // deliverers)
        for number in list(self._tending)[share:]:
            # In the background: what is on the way may take a while, and we must go on to be seen.
            self._leaving[number] = asyncio.create_task(self._tending.pop(number).stop())
        self._leaving = {number: leaving for number, leaving in self._leaving.items() if not leaving.done()}
        others = [
            number
            for number in range(self._events.shards)
            if number not in self._tending and number not in self._leaving
        ]
        for number in random.sample(others, len(others)):
            if len(self._tending) >= share:
                return
            if (await self._events.claim_shard(number, limit=0)).held:
                self._tending[number] = _Shard(number, self)

    # What the shards share

    @property
    def events(self) -> Events:
        return self._events

    @property
    def is_paused(self) -> bool:
        """Whether the receiver has asked for time."""
        return asyncio.get_running_loop().time() < self._paused_until

    def reserve(self, wanted: int) -> int:
        """Up to `wanted` places on the way to the receiver; to be given back by `release`.

        One shard gets a part of what is free: those that look first must not leave nothing to the others, look after look.
        """
        if self.is_paused:
            return 0
        granted = min(wanted, self._free, max(1, self._free // max(1, len(self._tending))))
        self._free -= granted
        return granted

    def release(self, places: int) -> None:
        self._free += places

    async def deliver(self, due: Due, now_ms: int, may_send: Callable[[], bool]) -> Outcome | None:
        """Tell one event in its forms. None: it could not be told whether it is still ours; whoever holds it now sees to it."""
        event, sent = due.event, due.sent
        try:
            for form in (await self._choose(event))[due.sent :]:
                if self.is_refused:
                    return self._bury(event, "the receiver wants no more events (status 410)")
                request = await form.request(event, int(time()))
                # Asked last of all: making the request may take the store a while.
                if not may_send():
                    return None
                if (answer := await self._send(form, request)).reason:
                    return await self._failed(due, answer, form, now_ms, sent)
                sent += 1
        except Fault as fault:
            logger.warning("webhooks: an event could not be put together: %s", fault)
            return Postponed(event, int(OUR_FAULT_WAIT_S * 1000), sent)
        metrics.WEBHOOK_LAG.observe(max(time() - event.at_ms / 1000, 0.0))
        return Delivered(event)

    async def _send(self, form: Form, request: WebhookRequest | None) -> Answer:
        if request is None:
            metrics.WEBHOOKS_DELIVERED.labels("none").inc()
            return Answer("")
        answer = await self._sender.send(request)
        if not answer.reason:
            metrics.WEBHOOKS_DELIVERED.labels(form.name).inc()
        return answer

    async def _failed(self, due: Due, answer: Answer, form: Form, now_ms: int, sent: int) -> Outcome:
        metrics.WEBHOOKS_FAILED.labels(answer.reason).inc()
        logger.debug("webhooks: %s of %s was not accepted: %s", form.name, due.event.id, answer.detail)
        if answer.is_gone:
            await self._refused()
            return self._bury(due.event, answer.detail)
        if answer.is_busy:
            pause_s = min(answer.retry_after_s, MAX_PAUSE_S)
            self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + pause_s)
        failing_ms = now_ms - due.failing_since_ms if due.failing_since_ms else 0
        if failing_ms >= self._retry_ms:
            return self._bury(due.event, answer.detail)
        return Postponed(due.event, int(wait_s(due.attempts, answer.retry_after_s) * 1000), sent)

    async def _refused(self) -> None:
        if not self.is_refused:
            logger.error(
                "webhooks: the receiver answered 410 and gets no more events; they become dead letters until `readstate webhooks replay`"
            )
        self.is_refused = True
        await self._events.refuse(self._target)

    def _bury(self, event: ReadEvent, reason: str) -> Dead:
        metrics.WEBHOOKS_DEAD.inc()
        if not self.is_refused:
            logger.warning("webhooks: %s is given up and becomes a dead letter: %s", event.id, reason)
        return Dead(event, reason[:200])


class _Shard:
    """One shard while this deliverer holds it: looks at it again and again, and sends what it is handed."""

    def __init__(self, number: int, deliverer: Deliverer) -> None:
        self._number = number
        self._deliverer = deliverer
        self._events = deliverer.events
        self._loop = asyncio.get_running_loop()
        self._lease_ends = 0.0
        self._on_the_way: dict[_Pair, Task[None]] = {}
        self._outcomes: list[Outcome] = []
        self._stop = asyncio.Event()
        self.is_held = True
        self._tending = asyncio.create_task(self._tend())

    async def stop(self) -> None:
        """Finish what is on the way, write down what became of it, and give the shard up."""
        self._stop.set()
        await self._tending

    async def _tend(self) -> None:
        try:
            while self.is_held and not self._stop.is_set():
                try:
                    batch = await self._look()
                except Fault as fault:
                    logger.warning("webhooks: shard %d could not be looked at: %s", self._number, fault)
                    await sleep_unless(self._stop, OUR_FAULT_WAIT_S)
                    continue
                await self._rest(batch)
        except Exception:
            # A fault of ours. The shard goes back, so that somebody (we, too) tends it anew.
            logger.exception("webhooks: shard %d failed", self._number)
        finally:
            self.is_held = False
            metrics.WEBHOOKS_WAITING.labels(str(self._number)).set(0)
            if self._on_the_way:
                await asyncio.wait(self._on_the_way.values())
            await _ignoring_faults(self._settle())
            await _ignoring_faults(self._events.release_shard(self._number))

    async def _look(self) -> Batch:
        places = self._deliverer.reserve(MAX_PER_SHARD - len(self._on_the_way))
        began = self._loop.time()
        try:
            await self._settle()
            batch = await self._events.claim_shard(self._number, limit=places)
        except BaseException:
            self._deliverer.release(places)
            raise
        self.is_held = batch.held
        self._lease_ends = began + self._events.lease_s if batch.held else 0.0
        due = [one for one in batch.due if _pair(one) not in self._on_the_way]
        self._deliverer.release(places - len(due))
        for one in due:
            self._on_the_way[_pair(one)] = asyncio.create_task(self._send(one, batch.now_ms))
        if batch.broken:
            logger.error("webhooks: %d entries in shard %d were no events and are gone", batch.broken, self._number)
        metrics.WEBHOOKS_WAITING.labels(str(self._number)).set(batch.waiting)
        return batch

    async def _send(self, due: Due, now_ms: int) -> None:
        try:
            if outcome := await self._deliverer.deliver(due, now_ms, self._may_send):
                self._outcomes.append(outcome)
        except Exception:
            # A fault of ours, for this event perhaps for ever: it must neither stop the shard nor be tried without end.
            logger.exception("webhooks: %s could not be sent", due.event.id)
            self._outcomes.append(Dead(due.event, "a fault of the service; see its log"))
        finally:
            self._deliverer.release(1)
            del self._on_the_way[_pair(due)]

    def _may_send(self) -> bool:
        """Whether the shard is surely ours until a request that begins now has ended: nobody else sends a newer event before it."""
        return self._loop.time() + TIMEOUT_S < self._lease_ends

    async def _settle(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes:
            return
        try:
            await self._events.record_outcomes(self._number, outcomes)
        except Fault:
            self._outcomes[:0] = outcomes
            raise

    async def _rest(self, batch: Batch) -> None:
        if batch.due and batch.more:
            await asyncio.sleep(HURRY_S)
        elif self._on_the_way or self._outcomes or (batch.more and not self._deliverer.is_paused):
            await asyncio.sleep(BUSY_S)
        else:
            await sleep_unless(self._stop, IDLE_S)


def _pair(due: Due) -> _Pair:
    return due.event.app, due.event.room, due.event.member


async def _ignoring_faults(what: Awaitable[None]) -> None:
    """At the end: what cannot be said any more is found out by whoever comes next."""
    try:
        await what
    except Fault as fault:
        logger.warning("webhooks: left without a word: %s", fault)
