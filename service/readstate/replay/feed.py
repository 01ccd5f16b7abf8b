"""Feeding: carries out the events of a file in a running service, many rooms at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from readstate.replay.api import Api, path
from readstate.replay.count import room_tags
from readstate.replay.report import Difference, Report
from readstate.replay.steps import Step, by_room, plan
from readstate.replay.traffic import TrafficEvent

USERS_PER_CALL = 100
Item = TypeVar("Item")


async def in_parallel(items: Iterable[Item], work: Callable[[Item], Awaitable[None]], concurrency: int) -> None:
    """Run `work` on every item, `concurrency` at a time, begun in the given order.

    The first failure ends all.
    """
    waiting = deque(items)

    async def worker() -> None:
        while waiting:
            await work(waiting.popleft())

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(waiting))):
                group.create_task(worker())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def create_users(api: Api, users: Sequence[str], *, concurrency: int) -> None:
    """Create all users. With a client key each gets a token, which their calls use."""
    batches = [users[start : start + USERS_PER_CALL] for start in range(0, len(users), USERS_PER_CALL)]

    async def create(batch: Sequence[str]) -> None:
        await api.backend(
            "POST", path("admin", "clients", "list"), {"data": [{"_id": user, "nickname": user} for user in batch]}
        )

    async def issue(user: str) -> None:
        answer = await api.backend("POST", path("admin", "clients"), {"_id": user, "issueAccessToken": True})
        api.tokens[user] = answer["token"]

    await in_parallel(batches, create, concurrency)
    if api.client_key:
        await in_parallel(users, issue, concurrency)


async def feed(api: Api, events: Iterable[TrafficEvent], *, concurrency: int, advance: Callable[[int], Any]) -> Report:
    """Carry out all events; `advance(n)` is called after each n of them.

    The report says what was done, and which answers of the service were wrong. The longest rooms
    come first, so that none of them is left for the end.
    """
    report = Report()
    rooms = sorted(by_room(events).values(), key=len, reverse=True)

    async def feed_room(events: list[TrafficEvent]) -> None:
        room = _RoomFeed(api, events[0].room, report)
        await room.create(room_tags(events[0]))
        for step in plan(events):
            await room.carry_out(step)
            advance(step.events)

    await in_parallel(rooms, feed_room, concurrency)
    return report


def message_id(position: int) -> str:
    """The id of a room's n-th message: 24 hex digits, which rise as strings.

    With an id of ours a post can be repeated safely.
    """
    return f"{position:024x}"


class _RoomFeed:
    """One room while it is being fed. `posted` is the position of its newest message."""

    def __init__(self, api: Api, room: str, report: Report) -> None:
        self._api = api
        self._room = room
        self._report = report
        self._posted = 0

    async def create(self, tags: Sequence[str]) -> None:
        await self._api.backend(
            "POST", path("rooms"), {"_id": self._room, "name": self._room, "roomType": "group", "roomTags": tags}
        )

    async def carry_out(self, step: Step) -> None:
        if step.act == "join":
            await self._api.backend("POST", path("rooms", self._room, "members"), {"invitees": step.users})
            self._report.joins += len(step.users)
        elif step.act == "leave":
            await self._api.backend("POST", path("rooms", self._room, "delete", "members"), {"members": step.users})
            self._report.leaves += len(step.users)
        else:
            [user] = step.users
            await self._read_newest(user)
            await self._post(user, step.texts)

    async def _read_newest(self, user: str) -> None:
        if not self._posted:
            return
        newest = message_id(self._posted)
        answer = await self._api.user(user, "PUT", path("rooms", self._room, "lastRead"), {"message": newest})
        self._report.reads += 1
        self._check(f"client, lastRead, unread after {user!r} read the newest message", (user, newest, 0), answer)

    def _check(self, what: str, expected: tuple[str, str, int], answer: dict[str, Any]) -> None:
        got = tuple(answer.get(name) for name in ("client", "lastRead", "unread"))
        if got != expected:
            self._report.differences.append(Difference(f"room {self._room!r}: {what}", expected, got))

    async def _post(self, user: str, texts: Sequence[str]) -> None:
        given = {"room": self._room, "sender": user, "messageType": "text", "push": False}
        messages = [
            given | {"_id": message_id(self._posted + nth), "message": text} for nth, text in enumerate(texts, 1)
        ]
        if len(messages) == 1:
            await self._api.backend("POST", path("messages"), messages[0])
        else:
            await self._api.post_batch(messages)
        self._posted += len(messages)
        self._report.posts += len(messages)
