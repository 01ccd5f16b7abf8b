"""Published notices equal those of the model: the same ones, in the order of the changes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from readstate.domain.notices import Left, decode_notice
from readstate.store.connect import connect
from readstate.store.keys import Keys
from tests.support.machine import Bench, ReadStateMachine
from tests.support.servers import Cluster, Server

END = b"end"


class NoticesMachine(ReadStateMachine):
    """The same programs, with a subscriber of the app's channel. Counts are compared elsewhere."""

    def __init__(self, bench: Bench, client: redis.Redis) -> None:
        super().__init__(bench)
        self.heard = client.pubsub()  # type: ignore[no-untyped-call]
        self.heard.subscribe(Keys.notices(self.app))
        assert self.heard.get_message(timeout=10)["type"] == "subscribe"

    def teardown(self) -> None:
        self.heard.close()

    async def _do(self, method: str, arguments: dict[str, Any]) -> None:
        before = len(self.model.notices)
        await super()._do(method, arguments)
        # Sent on the way of the room's own notices, so that it arrives after them.
        channel, key = Keys.notices(self.app), Keys.room(self.app, arguments["room"])
        await self.bench.executor.command("PUBLISH", channel, END, key=key)
        assert in_order(self.notices()) == in_order([notice for _, notice in self.model.notices[before:]])

    def notices(self) -> list[Any]:
        """All notices that were published before the marker."""
        found: list[Any] = []
        while True:
            message = self.heard.get_message(timeout=10)
            assert message is not None, "a subscriber stopped hearing"
            if message["data"] == END:
                return found
            found.append(decode_notice(message["data"]))

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
    """Both plans. A cluster passes notices on to the node that the subscriber is connected to."""
    where: Server | Cluster = request.getfixturevalue("server" if plan == "atomic" else "cluster")
    ear = where.client() if isinstance(where, Server) else where.nodes[2].client()
    with asyncio.Runner() as runner, ear as client:
        executor = runner.run(connect(where.url, lua=lua_dir))
        bench = Bench(runner.run, executor, no_restart, 20)
        try:
            programs = request.config.getoption("--programs") or (500 if full else 50)
            run_state_machine_as_test(
                lambda: NoticesMachine(bench, client),  # type: ignore[arg-type]
                settings=settings(max_examples=programs, stateful_step_count=30),
            )
        finally:
            runner.run(executor.close())
