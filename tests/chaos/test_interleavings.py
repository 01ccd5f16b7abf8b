"""On a cluster an operation is several scripts.

Here they run in every order that Hypothesis finds, and workers die in between.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readstate.domain.rooms import Status
from readstate.store.connect import connect
from readstate.store.executor import Executor
from tests.support.copies import USERS
from tests.support.machine import TAGS
from tests.support.play import MESSAGES, ROOMS, Operation, Play, rooms_with_pending_members
from tests.support.schedule import settle
from tests.support.servers import Cluster


def operation(method: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    """Mostly in the same room: operations in different rooms rarely meet."""
    return st.tuples(
        st.just(method), st.fixed_dictionaries({"room": st.sampled_from(("r1", "r1", "r1", "r:2")), **arguments})
    )


def question(method: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    return st.tuples(st.just(method), st.fixed_dictionaries({"user": st.sampled_from(USERS), **arguments}))


GROUP = st.lists(st.sampled_from(USERS), min_size=1, max_size=4)
MESSAGE = st.sampled_from(MESSAGES)
TAG_SET = st.sets(st.sampled_from(TAGS)).map(sorted)

OPERATIONS = st.one_of(
    operation(
        "post",
        sender=st.sampled_from(("", *USERS)),
        message=MESSAGE,
        countable=st.sampled_from((True, True, False)),
        body=st.just("{}"),
        sender_must_be_member=st.just(False),
        move_cursor=st.sampled_from((True, True, False)),
        as_last=st.sampled_from((True, True, False)),
    ),
    operation("add_members", members=GROUP),
    operation("remove_members", members=GROUP),
    operation("set_tags", tags=TAG_SET),
    operation("set_status", status=st.sampled_from(Status)),
    operation("mark_read", user=st.sampled_from(USERS), message=MESSAGE),
    operation("mark_read_until", user=st.sampled_from(USERS), until_ms=st.just(0)),
    operation("set_unread", user=st.sampled_from(USERS), count=st.integers(0, 5)),
    operation("acknowledge", user=st.sampled_from(USERS), messages=st.lists(MESSAGE, max_size=2)),
    operation("delete_message", message=MESSAGE),
    operation("recall_message", message=MESSAGE, body=st.just("{}")),
    operation("delete_messages", before=st.sampled_from(("", *MESSAGES))),
    operation("delete_room"),
    operation("create_room", tags=TAG_SET, profile=st.just({}), members=GROUP),
    question("badge", tags=st.sampled_from(((), TAGS[:1]))),
    question("badges_by_tags", tags=st.just(())),
    question("subscriptions"),
)


async def run(executor: Executor, app: str, data: st.DataObject) -> None:
    await executor.each_node("FLUSHALL")
    play = Play(executor, app, data.draw(st.lists(st.integers(1, 2), min_size=1, max_size=3), label="attention"))
    try:
        await play.run_through(the_past(data.draw(st.lists(OPERATIONS, max_size=6), label="history")))
        for chosen in data.draw(st.lists(OPERATIONS, min_size=2, max_size=5), label="side by side"):
            play.start(chosen)
        await settle()
        await in_drawn_order(play, data)
        play.check_answers()
        await play.recover()
        await play.check_counts()
        assert await rooms_with_pending_members(executor) == 0
    finally:
        await play.end()


async def in_drawn_order(play: Play, data: st.DataObject) -> None:
    """Let go one call after the other until none is left.

    Some workers die instead, and their client may ask again.
    """
    while tickets := play.tickets():
        worker, ticket = tickets[data.draw(st.integers(0, len(tickets) - 1), label="next")]
        fate = data.draw(st.integers(0, 49), label="its worker dies at 1, and is asked again at 2")
        if fate not in (1, 2):
            await play.let_go(worker, ticket)
            continue
        await worker.die()
        if fate == 2:
            play.start((worker.method, {name: value for name, value in worker.arguments.items() if name != "app"}))
            await settle()


def the_past(history: list[Operation]) -> list[Operation]:
    members = list(USERS[:3])
    rooms: list[Operation] = [
        ("create_room", {"room": room, "tags": [TAGS[0]], "profile": {}, "members": members}) for room in ROOMS
    ]
    return [*rooms, *history]


@pytest.mark.timeout(3600)
def test_concurrent_operations_in_any_order_with_crashes(
    cluster: Cluster, lua_dir: Path | None, full: bool, request: pytest.FixtureRequest
) -> None:
    """Answers are right when given; when the outbox is empty, every count is right."""
    schedules = 3 * (request.config.getoption("--programs") or 0) or (5000 if full else 150)
    with asyncio.Runner() as runner:
        executor = runner.run(connect(cluster.url, lua=lua_dir))
        played = 0

        @settings(max_examples=schedules)
        @given(st.data())
        def play(data: st.DataObject) -> None:
            nonlocal played
            played += 1
            runner.run(run(executor, f"i{played}", data))

        try:
            play()
        finally:
            runner.run(executor.close())
            print(f"{played} schedules")
    assert played >= schedules
