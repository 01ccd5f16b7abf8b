"""Who joins a room on any worker hears all that follows, and is told of every change of their
badge, however the scripts take turns.

A listening worker's hub, delivery and notices run on a real store. The calls of the operations and
those of the worker wait for a scheduler, which lets them go in an order drawn at random.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio

from readstate.dialects.imkit.sockets.closing import GapClosing
from readstate.dialects.imkit.sockets.delivery import Delivery
from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.following import Following
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.joining import Joining
from readstate.dialects.imkit.sockets.packets import ServerEvent
from readstate.domain.notices import MessagePosted, Notice, Topic
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.notices import RedisNotices
from readstate.store.redis_store import redis_store
from tests.support.rooms import posted
from tests.support.schedule import SteppedExecutor, Worker, settle
from tests.support.waiting import wait_until

USERS = ("ann", "bob")


class Phone:
    """A connection that remembers messages, that its user has left, and what it was told of the
    user's badge.
    """

    watched = None

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.version, self.badge = 0, 0
        self.is_closed = False

    def send_event(self, event: ServerEvent) -> None:
        name, payload = json.loads(event.packet(Encoding.RAW).text[2:])
        if name == "chat message":
            self.heard.append(payload["_id"])
        elif name == "badge":
            assert int(payload["since"]) == self.version < int(payload["version"])
            self.version, self.badge = int(payload["version"]), payload["badge"]
        elif payload.get("left"):
            self.heard.append("left")
        else:
            assert name == "room", "its user had a room before, so all can be told"

    def close(self, reason: object) -> None:
        self.is_closed = True


class Payloads:
    """Each takes a turn or two."""

    async def message(self, app: str, posted: MessagePosted) -> bytes:
        await asyncio.sleep(0)
        return json.dumps({"_id": posted.message}).encode()

    async def room(self, app: str, room: str) -> bytes:
        await asyncio.sleep(0)
        return b"{}"

    async def left(self, app: str, room: str, users: Sequence[str], deleted: bool) -> dict[str, bytes]:
        await asyncio.sleep(0)
        return dict.fromkeys(users, b'{"left":true}')


class Listener:
    """A worker with sockets. Its calls to the store wait in `executor.tickets`."""

    def __init__(self, executor: Executor, url: str, limits: Any) -> None:
        self.executor = SteppedExecutor(executor)
        self.store = redis_store(self.executor, **limits)
        self.notices = RedisNotices(self.executor, url)
        hub: Any = Hub(self.store.rooms.rooms_of, self.notices)
        self.hub: Hub[Any] = hub
        self.delivery = Delivery(hub, Payloads(), on_revoked=lambda app, revoked: None)
        self.following = Following(hub, self.store.changes)
        gaps = GapClosing(hub, self.following)
        self.joining = Joining(hub, self.notices, self.delivery, gaps.on_gap)
        hub.on_unsettled, hub.on_entered = self.joining.on_unsettled, self.following.note
        self.notices.attach(self.on_notice, gaps.on_gap)

    def on_notice(self, topic: Topic, notice: Notice) -> None:
        self.following.on_notice(topic, notice)
        self.delivery.deliver(topic, notice)

    async def add(self, app: str, user: str, phone: Any) -> None:
        """It also follows the user's read state."""
        await self.hub.add(app, user, phone)
        await self.following.add(app, user, phone)

    async def let_go(self, rng: random.Random) -> None:
        ticket = rng.choice(self.executor.tickets)
        self.executor.tickets.remove(ticket)
        ticket.reply.set_result(await ticket.make())
        await settle()

    async def go_on(self, until: str, holds: Callable[[], bool], *, hold: str = "") -> None:
        """Let all calls go, but those of the script `hold`, until it `holds`."""

        async def check() -> bool:
            for ticket in [ticket for ticket in self.executor.tickets if ticket.name != hold]:
                self.executor.tickets.remove(ticket)
                ticket.reply.set_result(await ticket.make())
            return holds()

        await wait_until(check, until, timeout_s=5)

    def is_busy(self) -> bool:
        return bool(self.executor.tickets or self.joining._tasks or self.delivery._queues)

    async def stop(self) -> None:
        await self.following.stop()
        await self.joining.stop()
        await self.delivery.stop()
        await self.notices.stop()


@pytest_asyncio.fixture
async def executor(plan_url: str) -> AsyncIterator[Executor]:
    executor = await connect(plan_url)
    yield executor
    await executor.close()


def operation(rng: random.Random, number: int) -> tuple[str, dict[str, Any]]:
    users = rng.sample(USERS, rng.randint(1, 2))
    match rng.randrange(6):
        case 0:
            return "remove_members", {"members": users}
        case 1 | 2:
            return "add_members", {"members": users}
    body = {"message": f"m{number}", "sender": "", "countable": True, "body": "{}", "sender_must_be_member": False}
    return "post", body


class Log:
    """What each user ought to hear, by the order of the room's scripts: one list for each stay."""

    def __init__(self) -> None:
        self.stays: dict[str, list[list[str]]] = {user: [] for user in USERS}
        self.members: set[str] = set()

    def note(self, method: str, arguments: dict[str, Any]) -> None:
        if method == "post":
            for user in self.members:
                self.stays[user][-1].append(arguments["message"])
        elif method == "add_members":
            for user in set(arguments["members"]) - self.members:
                self.members.add(user)
                self.stays[user].append([])
        else:
            for user in set(arguments["members"]) & self.members:
                self.members.remove(user)
                self.stays[user][-1].append("left")

    def unread(self, user: str) -> int:
        """All that was posted in the stay that lasts: no test reads."""
        return len(self.stays[user][-1]) if user in self.members else 0

    def allows(self, user: str, heard: list[str]) -> bool:
        """All stays in their order, each completely. One that was over before it was told of may be
        missing.
        """
        possible = {0}
        for stay in self.stays[user]:
            whole = {at + len(stay) for at in possible if heard[at : at + len(stay)] == stay}
            possible = whole | (possible if stay[-1:] == ["left"] else set())
        return len(heard) in possible


@pytest.mark.parametrize("fanout_limit", [100, 1])
@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.full) for seed in range(6, 25))])
async def test_who_is_in_a_room_hears_all_of_it_and_nothing_else(
    executor: Executor, plan_url: str, app: str, seed: int, fanout_limit: int
) -> None:
    rng = random.Random(seed)
    limits: Any = {"fanout_limit": fanout_limit, "attention_posts": 64}
    store = redis_store(executor, **limits)
    await store.rooms.create_room(app=app, room="home", tags=[], profile={}, members=USERS)
    await store.rooms.create_room(app=app, room="r", tags=[], profile={}, members=["cid"])
    listener = Listener(executor, plan_url, limits)
    phones = {user: Phone() for user in USERS}
    adding = [asyncio.create_task(listener.add(app, user, phone)) for user, phone in phones.items()]
    while not all(task.done() for task in adding):
        if listener.executor.tickets:
            await listener.let_go(rng)
        await asyncio.sleep(0.001)
    for user, phone in phones.items():
        phone.version = (await store.changes.moved(app=app, user=user)).version
    log, workers = Log(), []
    for number in range(30):
        method, arguments = operation(rng, number)
        worker = Worker.start(executor, method, {"app": app, "room": "r", **arguments}, **limits)
        workers.append(worker)
        await settle()
        for _ in range(rng.randrange(5)):
            await take_turn(rng, listener, workers, log)
    while any(not worker.task.done() for worker in workers) or listener.is_busy():
        await take_turn(rng, listener, workers, log)
        await asyncio.sleep(0.001)
    await wait_until_quiet(listener, phones, log)
    for user, phone in phones.items():
        assert not phone.is_closed
        assert log.allows(user, phone.heard), (user, phone.heard, log.stays[user])
    await listener.stop()


@pytest.mark.parametrize("fanout_limit", [100, 1])
async def test_what_came_before_the_room_was_listened_to_is_told(
    executor: Executor, plan_url: str, app: str, fanout_limit: int
) -> None:
    """Ann joins; the worker asks what has changed for her; a message comes; and only then does the
    worker learn what the room has announced.
    """
    limits: Any = {"fanout_limit": fanout_limit, "attention_posts": 64}
    store = redis_store(executor, **limits)
    for room, members in (("home", ["ann"]), ("r", ["cid"])):
        await store.rooms.create_room(app=app, room=room, tags=[], profile={}, members=members)
    listener, phone = Listener(executor, plan_url, limits), Phone()
    adding = asyncio.create_task(listener.add(app, "ann", phone))
    await listener.go_on("the phone to be added", adding.done)
    before = phone.version = (await store.changes.moved(app=app, user="ann")).version
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    await listener.go_on("the join to be told", lambda: phone.version > before, hold="catch_up")
    await posted(store, app, "r", "m")
    await listener.go_on("the message to be told", lambda: phone.badge == 1 and phone.heard == ["m"])
    await listener.stop()


async def take_turn(rng: random.Random, listener: Listener, workers: list[Worker], log: Log) -> None:
    """Let one call go, or let time pass for what was published."""
    busy = [worker for worker in workers if worker.executor.tickets]
    chance = rng.randrange(4)
    if chance == 0:
        await asyncio.sleep(0.003)
    elif chance == 1 and listener.executor.tickets:
        await listener.let_go(rng)
    elif busy:
        worker = rng.choice(busy)
        ticket = rng.choice(worker.executor.tickets)
        reply = await worker.let_go(ticket)
        if ticket.name == worker.method and not isinstance(reply, Exception):
            log.note(worker.method, worker.arguments)


async def wait_until_quiet(listener: Listener, phones: dict[str, Phone], log: Log) -> None:
    """Wait for what is still to arrive, and for what is settled after some patience."""

    async def holds() -> bool:
        while listener.executor.tickets:
            await listener.let_go(random.Random(0))
        return not listener.is_busy() and all(
            log.allows(user, phone.heard) and phone.badge == log.unread(user) for user, phone in phones.items()
        )

    await wait_until(holds, f"all of {log.stays}, not {[vars(phone) for phone in phones.values()]}", timeout_s=8)
