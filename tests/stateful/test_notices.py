"""Published notices equal those of the model: the same ones, in the order of the changes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from readstate.domain.notices import Left, MembershipChanged, Topic
from readstate.store.connect import connect
from tests.support.copies import ROOMS, USERS
from tests.support.ears import Ear
from tests.support.machine import Bench, ReadStateMachine
from tests.support.servers import Cluster, Server


class NoticesMachine(ReadStateMachine):
    """The same programs, with an ear for all rooms and users. Counts are compared elsewhere.

    What the users are told of their rooms need not be told of each change, but is true at the end.
    """

    def __init__(self, bench: Bench, url: str) -> None:
        super().__init__(bench)
        self.ear = Ear(bench.executor, url)
        self.rooms = [Topic.room(self.app, room) for room in ROOMS]
        self.users = [Topic.user(self.app, user) for user in USERS]
        self.told: set[tuple[str, str]] = set()  # (user, room)
        self.run(self.ear.notices.subscribe([*self.rooms, *self.users]))

    def teardown(self) -> None:
        self.run(self.ear.notices.stop())

    async def _do(self, method: str, arguments: dict[str, Any]) -> None:
        before = len(self.model.notices)
        await super()._do(method, arguments)
        heard = await self.ear.catch_up(*self.rooms, *self.users)
        of_rooms = [notice for topic, notice in heard if topic.kind == "room"]
        assert in_order(of_rooms) == in_order([notice for _, notice in self.model.notices[before:]])
        for topic, notice in heard:
            if isinstance(notice, MembershipChanged):
                (self.told.add if notice.is_member else self.told.discard)((topic.name, notice.room))
        rooms = self.model.rooms._world.rooms(self.app).items()
        assert self.told == {(user, name) for name, room in rooms for user in room.members}

    async def _compare(self) -> None:
        pass


def in_order(notices: list[Any]) -> list[Any]:
    """The members who leave a room that is taken over have no order."""
    return [
        replace(notice, members=sorted(notice.members)) if isinstance(notice, Left) else notice for notice in notices
    ]


def no_restart() -> None:
    """No restarts: a subscriber would lose its connection."""


@pytest.mark.parametrize("plan", ["atomic", "split"])
def test_every_change_is_announced_and_nothing_else(
    plan: str, request: pytest.FixtureRequest, lua_dir: Path | None, full: bool
) -> None:
    """Both plans. On a cluster each notice is heard at the node that has the room or user."""
    where: Server | Cluster = request.getfixturevalue("server" if plan == "atomic" else "cluster")
    with asyncio.Runner() as runner:
        executor = runner.run(connect(where.url, lua=lua_dir))
        bench = Bench(runner.run, executor, no_restart, 20)
        try:
            programs = request.config.getoption("--programs") or (500 if full else 20)
            run_state_machine_as_test(
                lambda: NoticesMachine(bench, where.url),  # type: ignore[arg-type]
                settings=settings(max_examples=programs, stateful_step_count=30),
            )
        finally:
            runner.run(executor.close())
