"""What a user's notices say of a room is settled with the room, where that has not said it."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import pytest
import pytest_asyncio

from readstate.dialects.imkit.sockets import joining as joining_module
from readstate.dialects.imkit.sockets.delivery import Delivery
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.joining import Joining
from readstate.domain.notices import Barrier, Joined, Recent, Topic
from readstate.errors import Unavailable
from readstate.store.replies import ScriptFailed
from tests.support.counted_notices import CountedNotices
from tests.support.waiting import wait_until

APP, ROOM = "demo", Topic.room("demo", "r")


class Phone:
    watched = None

    def send_event(self, event: object) -> None:
        """What it hears is of no interest here."""


class Payloads:
    async def message(self, *_: object) -> bytes:
        return b"{}"

    async def room(self, *_: object) -> bytes:
        return b"{}"

    async def left(self, app: str, room: str, users: Sequence[str], deleted: bool) -> dict[str, bytes]:
        return dict.fromkeys(users, b"{}")


class AnsweringNotices(CountedNotices):
    """A room answers at once, and says that ann has joined and is in it; else it raises `error`.

    `asked`: how often.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.error: Exception | None = None
        self.delivery: Delivery

    async def catch_up(self, room: Topic, users: Collection[str], barrier: str) -> Recent:
        self.asked += 1
        if self.error:
            raise self.error
        self.delivery.deliver(room, Barrier(room.name, barrier))
        return Recent(frozenset({"ann"}), [Joined(room.name, ["ann"])])


class World:
    """A worker's hub with ann in the room, and what settles who is in it."""

    def __init__(self) -> None:
        async def rooms_of(*, app: str, user: str) -> list[str]:
            return ["r"]

        self.notices = AnsweringNotices()
        self.hub: Hub[Any] = Hub(rooms_of, self.notices)
        self.delivery = Delivery(self.hub, Payloads(), on_revoked=lambda app, revoked: None)
        self.notices.delivery = self.delivery
        self.lost: list[Topic] = []
        self.joining = Joining(self.hub, self.notices, self.delivery, self.lost.extend)
        self.hub.on_unsettled = self.joining.on_unsettled

    def hear(self, *, is_member: bool) -> None:
        """A notice of ann's."""
        self.hub.on_membership(APP, "ann", "r", is_member=is_member)


@pytest_asyncio.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(joining_module, "PATIENCE_S", 0.01)
    world = World()
    await world.hub.add(APP, "ann", Phone())
    return world


async def test_what_the_room_has_said_is_not_asked_for(world: World) -> None:
    world.hear(is_member=True)
    world.hear(is_member=False)
    world.delivery.deliver(ROOM, Joined("r", ["ann"]))
    world.hub.on_left(APP, "r", ["ann"])
    await asyncio.sleep(0.05)
    assert (world.notices.asked, world.hub.is_member(APP, "ann", "r")) == (0, False)


async def test_the_newest_word_counts(world: World) -> None:
    """They leave and come back, of which the room is heard to say the first half only: it is not
    listened to any more when the last local member has left it.
    """
    world.hear(is_member=False)
    world.hear(is_member=True)
    world.hub.on_left(APP, "r", ["ann"])
    assert not world.hub.is_member(APP, "ann", "r")
    await asyncio.sleep(0.05)
    assert (world.notices.asked, world.hub.is_member(APP, "ann", "r"), world.lost) == (1, True, [])


@pytest.mark.parametrize("error", [Unavailable("down"), TimeoutError(), ScriptFailed("damaged"), ZeroDivisionError()])
async def test_a_user_whose_room_does_not_say_it_has_missed_something(world: World, error: Exception) -> None:
    world.notices.error = error
    world.hear(is_member=False)

    async def is_lost() -> bool:
        return world.lost == [Topic.user(APP, "ann")]

    await wait_until(is_lost, "ann to be lost", timeout_s=3)
