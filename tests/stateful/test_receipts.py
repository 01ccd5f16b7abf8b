"""Random histories with many receipts: readers and times equal a record of everything that was
done.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from readstate.domain.receipts import Filter
from readstate.store.connect import connect
from tests.support.copies import ROOMS, USERS
from tests.support.machine import JOURNAL_MOVES, Bench, ReadStateMachine, picks, rooms, users
from tests.support.receipts import page_while
from tests.support.servers import Cluster, Server


class ReceiptsMachine(ReadStateMachine):
    """The same programs, with long dialogues and users who read on while a client pages. Another
    test compares the badges.
    """

    set_tags = set_status = set_profile = None  # type: ignore[assignment]  # they do not concern receipts

    @rule(room=rooms, one=users, other=users, turns=st.integers(2, 40))
    def talk(self, room: str, one: str, other: str, turns: int) -> None:
        """Every post moves its sender's cursor, so both journals grow, sometimes beyond what is
        kept.
        """
        for turn in range(turns):
            self.post_without_an_id(room, (one, other)[turn % 2], True)

    @rule(
        room=rooms,
        pick=picks,
        which=st.sampled_from(Filter),
        limit=st.integers(1, 2),
        before=st.lists(users, max_size=5),
        meanwhile=st.lists(
            st.lists(st.tuples(users, st.sampled_from((0, 0, 1, 20))), min_size=1, max_size=4), min_size=1, max_size=4
        ),
    )
    def page_while_others_read(
        self, room: str, pick: int, which: Filter, limit: int, before: list[str], meanwhile: list[list[tuple[str, int]]]
    ) -> None:
        """Users who are in the list from the first page to the last come exactly once; none comes
        twice.

        But whose moves since are more than the journal keeps may come again.
        """
        message = self.some_message(room, pick)
        for user in before:
            self.do("mark_read", room=room, user=user, message=message)
        for _ in range(3):
            self.post_without_an_id(room, "", True)
        if not self.has_receipts(room, message):
            return
        first = self.listed(room, message, which)
        seen = self.run(
            page_while(
                self.store,
                self.app,
                room,
                message,
                which,
                limit,
                [partial(self._read_on, room, some) for some in meanwhile],
            )
        )
        last = self.listed(room, message, which)
        moves = Counter[str]()
        for user, posts in chain.from_iterable(meanwhile):
            moves[user] += posts or 1
        remembered = {user for user in USERS if moves[user] <= JOURNAL_MOVES}
        assert first & last <= set(seen) <= first | last
        assert not [member for member, times in seen.items() if times > 1 and member in remembered], (
            "a reader comes twice"
        )

    def has_receipts(self, room: str, message: str) -> bool:
        there = self.model.worlds.get(self.app, {}).get(room)
        return there is not None and any(known.id == message and known.whole for known in there.messages)

    def listed(self, room: str, message: str, which: Filter) -> set[str]:
        there = self.model.worlds[self.app][room]
        known = there.find(message)
        return (
            {receipt.member for receipt in there.readers(known)}
            if which is Filter.READ
            else set(there.non_readers(known))
        )

    async def _read_on(self, room: str, readers: list[tuple[str, int]]) -> None:
        """Each reads one message further, or all of them by posting as many."""
        for user, posts in readers:
            there = self.model.worlds[self.app][room]
            cursor = there.members[user].cursor if user in there.members else 0
            following = next((message.id for message in there.messages if message.seq > cursor), "")
            if not posts:
                await self._do("mark_read", {"app": self.app, "room": room, "user": user, "message": following})
            for _ in range(posts):
                sent: dict[str, Any] = {
                    "sender": user,
                    "message": "",
                    "countable": True,
                    "body": "{}",
                    "sender_must_be_member": True,
                }
                await self._do("post", {"app": self.app, "room": room, **sent})

    async def _compare(self) -> None:
        await asyncio.gather(*(self._check_receipts(room, sample=8) for room in ROOMS))


@pytest.fixture
def counts(request: pytest.FixtureRequest, full: bool) -> settings:
    """The number of programs, and of their steps."""
    programs = request.config.getoption("--programs") or (1000 if full else 14)
    return settings(max_examples=programs, stateful_step_count=40 if full else 25)


@pytest.mark.timeout(3600)
def test_receipts_on_one_server_equal_the_record(server: Server, lua_dir: Path | None, counts: settings) -> None:
    """The atomic plan, restarts of the server included."""
    run_programs(server, lua_dir, counts, server.restart, restart_odds=80)


@pytest.mark.timeout(3600)
def test_receipts_on_a_cluster_equal_the_record(cluster: Cluster, lua_dir: Path | None, counts: settings) -> None:
    """The split plan, restarts of a node included."""
    run_programs(cluster, lua_dir, counts, cluster.restart_one, restart_odds=200)


def run_programs(
    where: Server | Cluster,
    lua_dir: Path | None,
    counts: settings,
    restart: Callable[[], None],
    *,
    restart_odds: int,
) -> None:
    with asyncio.Runner() as runner:
        executor = runner.run(connect(where.url, lua=lua_dir))
        bench = Bench(runner.run, executor, restart, restart_odds, where.term_of)
        try:
            run_state_machine_as_test(lambda: ReceiptsMachine(bench), settings=counts)  # type: ignore[arg-type]
        finally:
            print(f"{bench.programs} programs, {bench.steps} steps on the {executor.plan} plan")
            runner.run(executor.close())
