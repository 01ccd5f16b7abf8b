"""When a worker asks for the changes of those who follow, and what a store delays that is slow."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from readstate.dialects.imkit.sockets import following as following_module
from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.following import ASKED_AT_ONCE, FAILING_AT_ONCE, Following
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.packets import ServerEvent
from readstate.domain.changes import MovedRoom, MovedRooms
from readstate.domain.notices import RoomDeleted, Topic
from readstate.errors import Unavailable
from readstate.store.replies import ScriptFailed
from tests.support.counted_notices import CountedNotices
from tests.support.waiting import wait_until

APP = "demo"
SOON_S = 0.02  # stands for TELL_EVERY_S and RETRY_S


class Phone:
    """Remembers the versions of each event: `since` and its own."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def send_event(self, event: ServerEvent) -> None:
        _, payload = json.loads(event.packet(Encoding.RAW).text[2:])
        self.heard.append((payload["since"], payload["version"]))


class Questions:
    """The store. A question of a user who is `away` is answered when the test ends it.

    Each answer has one change more. `open`: who is asked for now.
    """

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.open: dict[str, asyncio.Future[None]] = {}
        self.asked: Counter[str] = Counter()
        self.most_open = 0

    async def moved(self, *, app: str, user: str, since: int = 0) -> MovedRooms:
        if not since:
            return MovedRooms(1, 0, False, [])
        assert user not in self.open, "a user is asked for twice at a time"
        self.asked[user] += 1
        answer = self.open[user] = asyncio.get_running_loop().create_future()
        self.most_open = max(self.most_open, len(self.open))
        try:
            if user in self.away:
                await answer
            else:
                await asyncio.sleep(0)
        finally:
            del self.open[user]
        return MovedRooms(since + 1, 1, False, [MovedRoom("r", since + 1, 1, (), True)])

    def end(self, error: Exception | None = None) -> None:
        """All questions that are open are answered, or fail."""
        for answer in self.open.values():
            answer.set_exception(error) if error else answer.set_result(None)


class World:
    """A worker whose users are in room r, and follow."""

    def __init__(self) -> None:
        async def rooms_of(*, app: str, user: str) -> list[str]:
            return ["r"]

        self.hub: Hub[Any] = Hub(rooms_of, CountedNotices())
        self.store = Questions()
        changes: Any = self.store
        self.following = Following(self.hub, changes)
        self.phones: dict[str, Any] = {}

    async def add(self, *users: str) -> None:
        for user in users:
            self.phones[user] = Phone()
            await self.hub.add(APP, user, self.phones[user])
            await self.following.add(APP, user, self.phones[user])

    def announce(self, *users: str) -> None:
        for user in users:
            self.following.note(APP, user)

    async def until_told(self, *users: str, times: int = 1) -> None:
        async def told() -> bool:
            return all(len(self.phones[user].heard) >= times for user in users)

        await wait_until(told, f"all to be told {times} times", timeout_s=3)

    async def until_asked(self, user: str, times: int) -> None:
        async def asked() -> bool:
            return bool(self.store.asked[user] >= times)

        await wait_until(asked, f"{user} to be asked for {times} times", timeout_s=3)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(following_module, "TELL_EVERY_S", SOON_S)
    monkeypatch.setattr(following_module, "RETRY_S", SOON_S)
    world = World()
    yield world
    await world.following.stop()


def named(kind: str, count: int) -> list[str]:
    return [f"{kind}-{number}" for number in range(count)]


async def test_who_waits_for_a_node_that_is_away_delays_no_other(world: World) -> None:
    away, others = named("away", ASKED_AT_ONCE - 1), named("other", 300)
    await world.add(*away, *others)
    world.store.away = set(away)
    world.announce(*away, *others)
    await world.until_told(*others)
    assert set(world.store.open) == set(away)
    world.store.end()
    await world.until_told(*away)
    assert world.store.most_open == ASKED_AT_ONCE


async def test_users_whose_questions_fail_leave_places_to_the_others(world: World) -> None:
    """Once each has failed, they have a few places of their own."""
    away, others = named("away", 2 * ASKED_AT_ONCE), named("other", 300)
    await world.add(*away, *others)
    world.store.away = set(away)
    world.announce(*away)

    async def each_has_failed() -> bool:
        if len(world.store.asked) == len(away) and len(world.store.open) <= FAILING_AT_ONCE:
            return True
        world.store.end(Unavailable("no answer"))
        return False

    await wait_until(each_has_failed, "each to have failed")
    world.announce(*others)
    await world.until_told(*others)
    assert len(world.store.open) <= FAILING_AT_ONCE
    assert world.store.most_open == ASKED_AT_ONCE
    world.store.away.clear()
    world.store.end()
    await world.until_told(*away)
    assert all(world.phones[user].heard == [("1", "2")] for user in (*away, *others))


async def test_who_has_gone_after_a_fault_is_not_asked_for_again(world: World) -> None:
    await world.add("ann", "bob")
    world.store.away = {"ann", "bob"}
    world.announce("ann", "bob")
    await world.until_asked("bob", 1)
    world.store.end(Unavailable("no answer"))
    world.following.remove(APP, "ann", world.phones["ann"])
    await world.until_asked("bob", 2)
    assert world.store.asked["ann"] == 1


async def test_any_other_error_leaves_it_to_the_next_announcement(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is missed by that, and the log is not full of it."""
    await world.add("ann")
    world.store.away = {"ann"}
    world.announce("ann")
    await world.until_asked("ann", 1)
    world.store.end(ScriptFailed("a damaged copy"))
    await asyncio.sleep(5 * SOON_S)
    assert (world.store.asked["ann"], [record.levelname for record in caplog.records]) == (1, ["ERROR"])
    world.store.away.clear()
    world.announce("ann")
    await world.until_told("ann")
    assert world.phones["ann"].heard == [("1", "2")]


async def test_what_is_announced_during_a_question_is_asked_for_once_after_it(world: World) -> None:
    await world.add("ann")
    world.store.away = {"ann"}
    for _ in range(3):
        world.announce("ann")
        await asyncio.sleep(2 * SOON_S)
    assert world.store.asked["ann"] == 1
    world.store.away.clear()
    world.store.end()
    await world.until_told("ann", times=2)
    await asyncio.sleep(5 * SOON_S)
    assert world.phones["ann"].heard == [("1", "2"), ("2", "3")]


async def test_the_deletion_of_a_room_concerns_its_members(world: World) -> None:
    await world.add("ann")
    world.following.on_notice(Topic.room(APP, "r"), RoomDeleted("r"))
    await world.until_told("ann")


async def test_a_stop_leaves_no_question(world: World) -> None:
    users = named("away", 2 * ASKED_AT_ONCE)
    await world.add(*users)
    world.store.away = set(users)
    world.announce(*users)
    await world.until_asked(users[ASKED_AT_ONCE - 1], 1)
    await world.following.stop()
    assert (world.store.open, len(world.store.asked)) == ({}, ASKED_AT_ONCE)
