"""The notices of the rooms and users that a worker listens to.

Each room and user has a sharded channel, which lies in the slot of its key, so that a script can
publish there and a cluster needs to pass nothing on. There is one connection for each primary
(`channel_connection.py`).

Redis forgets what it could not deliver. So a subscription that is lost, with its connection or
because its slot has moved, is a gap of its room or user: it is reported, and then the topic is
subscribed to anew where it is now, if it still has a listener.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

import msgspec

from readstate import metrics
from readstate.domain.notices import Notice, OfRoom, Recent, Topic, decode_notice
from readstate.errors import Fault, Unavailable
from readstate.store import lua
from readstate.store.channel_connection import LOST, ChannelConnection
from readstate.store.connections import ConnectionFactory
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.urls import at_node
from readstate.tasks import Backoff, Tasks, cancel_and_wait

logger = logging.getLogger(__name__)

CONFIRM_S = 5.0  # how long `subscribe` waits for a subscription
GRACE_S = 5.0  # a subscription that has no listener any more stays, since clients come back
MIN_BACKOFF_S = 0.05
MAX_BACKOFF_S = 2.0


class _Wait:
    """A caller that waits for several confirmations."""

    __slots__ = ("done", "missing")

    def __init__(self) -> None:
        self.missing = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Subscription:
    """One topic. `waits`: None once it is confirmed. `node`: where it was asked for."""

    __slots__ = ("channel", "listeners", "node", "topic", "waits")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        key = Keys.room if topic.kind == "room" else Keys.user
        self.channel = key(topic.app, topic.name).encode()
        self.listeners = 0
        self.waits: list[_Wait] | None = []
        self.node: str | None = None


class RedisNotices:
    """`domain.notices.Notices` over Redis pub/sub. `start` it, and `stop` it at the end.

    `url` is that of the server or cluster that `executor` reaches. `undecodable` counts what
    arrived and was no notice.
    """

    def __init__(self, executor: Executor, url: str) -> None:
        self._executor = executor
        self._url = url
        self._on_notice: Callable[[Topic, Notice], None] = lambda topic, notice: None
        self._on_gap: Callable[[Collection[Topic]], None] = lambda topics: None
        self._subscriptions: dict[Topic, _Subscription] = {}
        self._by_channel: dict[bytes, _Subscription] = {}
        self._unused: dict[Topic, float] = {}  # without a listener, since when; the longest first
        self._unused_timer: asyncio.TimerHandle | None = None
        self._connections: dict[str, ChannelConnection] = {}  # node ->
        self._tasks = Tasks()
        self._placing: asyncio.Task[None] | None = None
        self._to_place: list[_Subscription] = []
        self._backoff = Backoff(MIN_BACKOFF_S, MAX_BACKOFF_S)
        self.undecodable = 0

    def attach(self, on_notice: Callable[[Topic, Notice], None], on_gap: Callable[[Collection[Topic]], None]) -> None:
        """Set what is called with (topic, notice), and with topics after a gap."""
        self._on_notice, self._on_gap = on_notice, on_gap

    def start(self) -> None:
        """Connect to the primaries, so that the first sockets need not wait for that."""
        for node in self._executor.nodes():
            self._connection(node)

    async def stop(self) -> None:
        """End all subscriptions."""
        if self._unused_timer is not None:
            self._unused_timer.cancel()
        await self._tasks.stop()
        await cancel_and_wait(self._placing)

    async def subscribe(self, topics: Collection[Topic]) -> None:
        wait = _Wait()
        new = []
        for topic in topics:
            subscription = self._subscriptions.get(topic)
            if subscription is None:
                subscription = self._add(topic)
                new.append(subscription)
            self._listen(subscription)
            if subscription.waits is not None:
                subscription.waits.append(wait)
                wait.missing += 1
        self._place(new)
        try:
            if wait.missing:
                async with asyncio.timeout(CONFIRM_S):
                    await wait.done
        except TimeoutError:
            self.unsubscribe(topics)
            raise Unavailable("the notices cannot be listened to") from None
        except BaseException:
            self.unsubscribe(topics)
            raise

    def is_heard(self, topic: Topic) -> bool:
        subscription = self._subscriptions.get(topic)
        return subscription is not None and subscription.waits is None

    def retain(self, topic: Topic) -> bool:
        if not self.is_heard(topic):
            return False
        self._listen(self._subscriptions[topic])
        return True

    def unsubscribe(self, topics: Iterable[Topic]) -> None:
        loop = asyncio.get_running_loop()
        for topic in topics:
            subscription = self._subscriptions[topic]
            subscription.listeners -= 1
            if not subscription.listeners:
                self._unused[topic] = loop.time()
        if self._unused and self._unused_timer is None:
            self._unused_timer = loop.call_later(GRACE_S, self._end_unused)

    async def catch_up(self, room: Topic, users: Collection[str], barrier: str) -> Recent:
        call = lua.catch_up(app=room.app, barrier=barrier, users=users)
        reply = await self._executor.call(call, Keys.room(room.app, room.name))
        kept = (self._decoded(room, packed) for packed in reply.recent if packed)
        recent: list[OfRoom] = [notice for notice in kept if notice is not None]
        return Recent(frozenset(reply.members), recent)

    # Subscriptions

    def _add(self, topic: Topic) -> _Subscription:
        subscription = self._subscriptions[topic] = _Subscription(topic)
        self._by_channel[subscription.channel] = subscription
        metrics.SUBSCRIPTIONS.inc()
        return subscription

    def _listen(self, subscription: _Subscription) -> None:
        if not subscription.listeners:
            self._unused.pop(subscription.topic, None)
        subscription.listeners += 1

    def _forget(self, subscription: _Subscription) -> None:
        del self._subscriptions[subscription.topic], self._by_channel[subscription.channel]
        self._unused.pop(subscription.topic, None)
        metrics.SUBSCRIPTIONS.dec()

    def _end_unused(self) -> None:
        now = asyncio.get_running_loop().time()
        ended: dict[str, list[bytes]] = {}
        self._unused_timer = None
        for topic, since in list(self._unused.items()):
            if since + GRACE_S > now:
                self._unused_timer = asyncio.get_running_loop().call_at(since + GRACE_S, self._end_unused)
                break
            subscription = self._subscriptions[topic]
            self._forget(subscription)
            if subscription.node is not None:
                ended.setdefault(subscription.node, []).append(subscription.channel)
        for node, channels in ended.items():
            if node in self._connections:
                self._connections[node].unsubscribe(channels)

    def _place(self, subscriptions: Collection[_Subscription]) -> None:
        """Subscribe at the nodes that have the slots, or soon again where that is not known."""
        by_node: dict[str, list[bytes]] = {}
        for subscription in subscriptions:
            try:
                node = self._executor.node_of(subscription.channel.decode())
            except Unavailable:
                self._place_later([subscription])
            else:
                subscription.node = node
                by_node.setdefault(node, []).append(subscription.channel)
        for node, channels in by_node.items():
            self._connection(node).subscribe(channels)

    def _place_later(self, subscriptions: Iterable[_Subscription]) -> None:
        for subscription in subscriptions:
            subscription.node = None
            self._to_place.append(subscription)
        if self._to_place and (self._placing is None or self._placing.done()):
            self._placing = asyncio.create_task(self._place_again())

    async def _place_again(self) -> None:
        while self._to_place:
            await self._backoff.pause()
            try:
                await self._executor.slots()
            except Fault:
                continue
            except Exception:
                logger.exception("notices: nodes could not be asked which slots they have")
                continue
            waiting, self._to_place = self._to_place, []
            known = [one for one in waiting if self._subscriptions.get(one.topic) is one and one.node is None]
            for subscription in known:
                if not subscription.listeners:
                    self._forget(subscription)
            self._place([one for one in known if one.listeners])

    # Connections

    def _connection(self, node: str) -> ChannelConnection:
        if node not in self._connections:
            on_cluster = self._executor.plan == "split"
            connection = self._connections[node] = ChannelConnection(
                ConnectionFactory(at_node(self._url, node) if on_cluster else self._url),
                one_by_one=on_cluster,
                on_message=self._hand_on,
                on_subscribed=self._confirm,
                on_ended=partial(self._on_ended, node),
                probe=lambda channel: self._executor.command("SPUBLISH", channel, "", key=channel.decode()),
            )
            self._tasks.start(self._run(node, connection))
        return self._connections[node]

    async def _run(self, node: str, connection: ChannelConnection) -> None:
        try:
            await connection.run()
        except LOST as error:
            logger.warning("notices: connection lost: %s", error or type(error).__name__)
        except Exception:
            # A fault of this program. Trying again is better than hearing nothing from now on.
            logger.exception("notices: the listener failed")
        del self._connections[node]
        self._lose([one for one in self._subscriptions.values() if one.node == node])

    def _on_ended(self, node: str, channel: bytes) -> None:
        subscription = self._by_channel.get(channel)
        if subscription is not None and subscription.node == node:
            self._lose([subscription])

    def _lose(self, subscriptions: Collection[_Subscription]) -> None:
        """The subscriptions are over. Report what may be missed, and subscribe to the rest anew."""
        missed = [one.topic for one in subscriptions if one.waits is None and one.listeners]
        for subscription in subscriptions:
            subscription.node = None
            if subscription.waits is None:
                subscription.waits = []
        if missed:
            try:
                self._on_gap(missed)
            except Exception:
                logger.exception("notices: a gap could not be dealt with")
        for subscription in subscriptions:
            if not subscription.listeners:
                self._forget(subscription)
        self._place_later([one for one in subscriptions if one.listeners])

    # What is heard

    def _confirm(self, channel: bytes) -> None:
        subscription = self._by_channel.get(channel)
        if subscription is None or subscription.waits is None:
            return
        self._backoff.reset()
        waits, subscription.waits = subscription.waits, None
        for wait in waits:
            wait.missing -= 1
            if not wait.missing and not wait.done.done():
                wait.done.set_result(None)

    def _hand_on(self, channel: bytes, content: bytes) -> None:
        subscription = self._by_channel.get(channel)
        if subscription is None:
            return
        notice = self._decoded(subscription.topic, content)
        if notice is None:
            return
        try:
            self._on_notice(subscription.topic, notice)
        except Exception:
            logger.exception("notices: a notice could not be handed on", extra={"app": subscription.topic.app})

    def _decoded(self, topic: Topic, content: bytes) -> Any:
        """A notice of `topic`; None: it is none, or one of a newer version, and is passed over."""
        try:
            return decode_notice(content)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self.undecodable += 1
            logger.warning("notices: not a notice: %s", error, extra={"app": topic.app})
            return None
