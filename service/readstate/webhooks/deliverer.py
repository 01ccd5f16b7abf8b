"""Takes events from the store and sends each to the receiver, or makes a dead letter of it.

Several deliverers may run, in as many processes; each holds its share of the shards. A deliverer
keeps in memory only the events that are in flight at this moment. Everything else, retries
included, is stored with the events: nothing is lost when a deliverer is killed, and what it was
sending is sent again.

Within a shard, events of different memberships (a member in a room) are sent side by side, and
those of one membership one at a time. So the events of a membership stay in order, and a room whose
events fail delays no other room.
"""

import asyncio
import logging
import random
from asyncio import Task
from collections.abc import Awaitable, Callable
from time import time

from readstate import metrics
from readstate.domain.events import Batch, Dead, Delivered, Due, Events, Outcome, Postponed, ReadEvent
from readstate.errors import Fault
from readstate.tasks import repeat, sleep_unless
from readstate.webhooks.forms import Answer, Choice, Form, WebhookRequest
from readstate.webhooks.sender import MAX_CONNECTIONS, TIMEOUT_S, Sender

logger = logging.getLogger(__name__)

MAX_PER_SHARD = 32  # in flight at once
SHARE_S = 0.5  # between two looks at how the shards are shared
# Between two looks at a shard: when there is more, when something is in flight, when there is
# nothing.
HURRY_S, BUSY_S, IDLE_S = 0.003, 0.01, 0.1
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 600.0  # between attempts
MAX_PAUSE_S = 60.0  # of all requests, when the receiver asks for a pause
OUR_FAULT_WAIT_S = 1.0

_Membership = tuple[str, str, str]  # app, room, member


def wait_s(attempts: int, retry_after_s: float = 0.0) -> float:
    """The wait after an attempt that failed, when `attempts` had failed before it.

    It doubles, with jitter, and is never shorter than the receiver asked for.
    """
    longest = min(FIRST_WAIT_S * 2.0 ** min(attempts, 20), LONGEST_WAIT_S)
    return max(longest * random.uniform(0.5, 1.0), retry_after_s)


class Deliverer:
    """See the module. `run` it inside the running loop.

    `target` identifies the receiver's URL without showing it; `retry_s` is how long an event may
    fail before it becomes a dead letter.
    """

    def __init__(self, events: Events, choose: Choice, sender: Sender, *, target: str, retry_s: float) -> None:
        self.events = events
        self._choose = choose
        self._sender = sender
        self._target = target
        self._retry_ms = retry_s * 1000
        self._held: dict[int, _Shard] = {}
        self._releasing: dict[int, Task[None]] = {}
        self._free = MAX_CONNECTIONS
        self._paused_until = 0.0
        self.is_refused = False  # the receiver wants no more events

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then finish what is in flight and release the shards."""
        try:
            await repeat(self._claim_share, SHARE_S, logger, "webhooks: the shards could not be shared out", stop)
        finally:
            await asyncio.gather(*self._releasing.values(), *(shard.stop() for shard in self._held.values()))
            await _ignoring_faults(self.events.depart())

    async def _claim_share(self) -> None:
        """Release the shards beyond this deliverer's share, and try to claim those it lacks."""
        deliverers, refusing = await self.events.share()
        self.is_refused = refusing == self._target
        self._held = {number: shard for number, shard in self._held.items() if shard.is_held}
        share = -(-self.events.shards // deliverers)
        for number in list(self._held)[share:]:
            # In the background: what is in flight may take a while, and `share` must be called
            # meanwhile.
            self._releasing[number] = asyncio.create_task(self._held.pop(number).stop())
        self._releasing = {number: task for number, task in self._releasing.items() if not task.done()}
        ours = {*self._held, *self._releasing}
        others = [number for number in range(self.events.shards) if number not in ours]
        for number in random.sample(others, len(others)):
            if len(self._held) >= share:
                return
            if (await self.events.claim_shard(number, limit=0)).held:
                self._held[number] = _Shard(number, self)

    # Shared by the shards

    @property
    def is_paused(self) -> bool:
        """Whether the receiver has asked for a pause that is not over."""
        return asyncio.get_running_loop().time() < self._paused_until

    def reserve(self, wanted: int) -> int:
        """Reserve up to `wanted` places for requests in flight; `release` gives them back.

        One shard gets a part of the free places only: else the first shards to ask would leave
        nothing for the others, again and again.
        """
        if self.is_paused:
            return 0
        granted = min(wanted, self._free, max(1, self._free // max(1, len(self._held))))
        self._free -= granted
        return granted

    def release(self, places: int) -> None:
        self._free += places

    async def deliver(self, due: Due, now_ms: int, may_send: Callable[[], bool]) -> Outcome | None:
        """Send one event in its forms.

        None: the shard may be another deliverer's by now, which then sends the event.
        """
        event, sent = due.event, due.sent
        try:
            for form in (await self._choose(event))[due.sent :]:
                if self.is_refused:
                    return self._give_up(event, "the receiver wants no more events (status 410)")
                request = await form.request(event, int(time()))
                # Asked last: making the request may take the store a while.
                if not may_send():
                    return None
                if (answer := await self._send(form, request)).reason:
                    return await self._failed(due, answer, form, now_ms, sent)
                sent += 1
        except Fault as fault:
            logger.warning("webhooks: the request for an event could not be made: %s", fault)
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
            await self._stop_sending()
            return self._give_up(due.event, answer.detail)
        if answer.is_busy:
            pause_s = min(answer.retry_after_s, MAX_PAUSE_S)
            self._paused_until = max(self._paused_until, asyncio.get_running_loop().time() + pause_s)
        failing_ms = now_ms - due.failing_since_ms if due.failing_since_ms else 0
        if failing_ms >= self._retry_ms:
            return self._give_up(due.event, answer.detail)
        return Postponed(due.event, int(wait_s(due.attempts, answer.retry_after_s) * 1000), sent)

    async def _stop_sending(self) -> None:
        if not self.is_refused:
            logger.error(
                "webhooks: the receiver answered 410 and gets no more events; "
                "they become dead letters until `readstate webhooks replay`"
            )
        self.is_refused = True
        await self.events.refuse(self._target)

    def _give_up(self, event: ReadEvent, reason: str) -> Dead:
        metrics.WEBHOOKS_DEAD.inc()
        if not self.is_refused:
            logger.warning("webhooks: %s is given up and becomes a dead letter: %s", event.id, reason)
        return Dead(event, reason[:200])


class _Shard:
    """One shard while this deliverer holds it: asks for events that are due, and sends them."""

    def __init__(self, number: int, deliverer: Deliverer) -> None:
        self._number = number
        self._deliverer = deliverer
        self._events = deliverer.events
        self._loop = asyncio.get_running_loop()
        self._lease_ends = 0.0
        self._in_flight: dict[_Membership, Task[None]] = {}
        self._outcomes: list[Outcome] = []
        self._stop = asyncio.Event()
        self.is_held = True
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish what is in flight, record the outcomes, and release the shard."""
        self._stop.set()
        await self._running

    async def _run(self) -> None:
        try:
            while self.is_held and not self._stop.is_set():
                try:
                    batch = await self._look()
                except Fault as fault:
                    logger.warning("webhooks: shard %d could not be looked at: %s", self._number, fault)
                    await sleep_unless(self._stop, OUR_FAULT_WAIT_S)
                    continue
                await self._pause_after(batch)
        except Exception:
            # A defect. The shard is released, so that any deliverer, this one included, starts
            # anew.
            logger.exception("webhooks: shard %d failed", self._number)
        finally:
            self.is_held = False
            metrics.WEBHOOKS_WAITING.labels(str(self._number)).set(0)
            if self._in_flight:
                await asyncio.wait(self._in_flight.values())
            await _ignoring_faults(self._record_outcomes())
            await _ignoring_faults(self._events.release_shard(self._number))

    async def _look(self) -> Batch:
        """Renew the lease, and start to send what is due."""
        places = self._deliverer.reserve(MAX_PER_SHARD - len(self._in_flight))
        began = self._loop.time()
        try:
            await self._record_outcomes()
            batch = await self._events.claim_shard(self._number, limit=places)
        except BaseException:
            self._deliverer.release(places)
            raise
        self.is_held = batch.held
        self._lease_ends = began + self._events.lease_s if batch.held else 0.0
        due = [one for one in batch.due if _membership(one) not in self._in_flight]
        self._deliverer.release(places - len(due))
        for one in due:
            self._in_flight[_membership(one)] = asyncio.create_task(self._send(one, batch.now_ms))
        if batch.broken:
            logger.error("webhooks: %d entries in shard %d were no events and are gone", batch.broken, self._number)
        metrics.WEBHOOKS_WAITING.labels(str(self._number)).set(batch.waiting)
        return batch

    async def _send(self, due: Due, now_ms: int) -> None:
        try:
            if outcome := await self._deliverer.deliver(due, now_ms, self._may_send):
                self._outcomes.append(outcome)
        except Exception:
            # A defect, which this event may meet every time: it must not stop the shard, nor be
            # tried forever.
            logger.exception("webhooks: %s could not be sent", due.event.id)
            self._outcomes.append(Dead(due.event, "a fault of the service; see its log"))
        finally:
            self._deliverer.release(1)
            del self._in_flight[_membership(due)]

    def _may_send(self) -> bool:
        """Whether the lease outlasts a request that begins now.

        Then no other deliverer sends a newer event before the request has ended.
        """
        return self._loop.time() + TIMEOUT_S < self._lease_ends

    async def _record_outcomes(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes:
            return
        try:
            await self._events.record_outcomes(self._number, outcomes)
        except Fault:
            self._outcomes[:0] = outcomes
            raise

    async def _pause_after(self, batch: Batch) -> None:
        if batch.due and batch.more:
            await asyncio.sleep(HURRY_S)
        elif self._in_flight or self._outcomes or (batch.more and not self._deliverer.is_paused):
            await asyncio.sleep(BUSY_S)
        else:
            await sleep_unless(self._stop, IDLE_S)


def _membership(due: Due) -> _Membership:
    return due.event.app, due.event.room, due.event.member


async def _ignoring_faults(write: Awaitable[None]) -> None:
    """For the end of a deliverer. The next holder of a shard sends again what was not recorded."""
    try:
        await write
    except Fault as fault:
        logger.warning("webhooks: the last outcomes could not be recorded: %s", fault)
