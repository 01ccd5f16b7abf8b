"""On a cluster an operation is several scripts.

Here they run in every order that Hypothesis finds, and workers die in between.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from readstate.domain.messages import Posted
from readstate.domain.reading import MarkedRead
from readstate.domain.rooms import Status
from readstate.errors import ReadStateError, RoomUnknown
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.plan_split import SplitPlan
from readstate.store.redis_store import redis_store
from tests.support.copies import LIMIT, USERS
from tests.support.machine import TAGS, in_order, outcome_of
from tests.support.model import ModelStore
from tests.support.nouns import operation_of
from tests.support.schedule import Ticket, Worker, settle
from tests.support.servers import Cluster

ROOMS = ("r1", "r:2")
MESSAGES = tuple(f"m{number}" for number in range(5))

Operation = tuple[str, dict[str, Any]]


def operation(method: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    """Mostly in the same room: operations in different rooms rarely meet."""
    return st.tuples(
        st.just(method), st.fixed_dictionaries({"room": st.sampled_from(("r1", "r1", "r1", "r:2")), **arguments})
    )


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
)


class Play:
    """One run: a history, then operations side by side, then recovery."""

    def __init__(self, executor: Executor, app: str) -> None:
        self.executor = executor
        self.app = app
        self.clock = 0
        self.model = ModelStore(now_ms=lambda: self.clock)
        self.workers: list[Worker] = []

    def start(self, operation: Operation) -> None:
        method, arguments = operation
        self.workers.append(Worker.start(self.executor, method, {"app": self.app, **arguments}, fanout_limit=LIMIT))

    def tickets(self) -> list[tuple[Worker, Ticket]]:
        return [(worker, ticket) for worker in self.workers for ticket in worker.executor.tickets]

    async def let_go(self, worker: Worker, ticket: Ticket) -> None:
        """Let one script run.

        When it is the one that changes the room, the model changes at the same moment. Some
        operations look at the room first. When there is none they are refused, as the model is.
        """
        reply = await worker.let_go(ticket)
        if ticket.name == "room" and isinstance(reply, RoomUnknown):
            worker.expected.append(RoomUnknown)
        elif ticket.name == worker.method:
            if ticket.name == "post" and not isinstance(reply, ReadStateError):
                self.clock = reply.reply.at_ms
            worker.expected.append(await outcome_of(operation_of(self.model, worker.method)(**worker.arguments)))

    def check_answers(self) -> None:
        """Each worker that did not die answered what the model said when the room's script ran."""
        for worker in self.workers:
            if worker.task.done() and not worker.task.cancelled():
                error = worker.task.exception()
                assert error is None or isinstance(error, ReadStateError), repr(error)
                answer = type(error) if error else worker.task.result()
                assert answer_without_badge(answer) == answer_without_badge(worker.expected[0])

    async def recover(self) -> None:
        """What any worker does a few seconds after another one died."""
        store = redis_store(self.executor, fanout_limit=LIMIT)
        assert isinstance(store.outbox, SplitPlan)
        await store.outbox.recovery.recover(older_than_s=-10)
        await store.outbox.idle()

    async def check_counts(self) -> None:
        store = redis_store(self.executor, fanout_limit=LIMIT)
        for method, arguments in self.questions():
            real = await outcome_of(operation_of(store, method)(app=self.app, **arguments))
            assert in_order(real) == in_order(
                await outcome_of(operation_of(self.model, method)(app=self.app, **arguments))
            ), (method, arguments)
        await store.outbox.idle()
        assert await store.audit.audit_all(repair=False) == []

    def questions(self) -> Iterator[Operation]:
        for room in ROOMS:
            yield "members", {"room": room, "limit": 1000}
            yield "receipt_counts", {"room": room, "messages": MESSAGES}
        for user in USERS:
            yield "rooms_of", {"user": user}
            yield "badge", {"user": user, "tags": ()}
            yield "badge", {"user": user, "tags": TAGS[:2]}
            yield "badges_by_tags", {"user": user, "tags": ()}


def answer_without_badge(answer: Any) -> Any:
    """An answer without what may differ.

    On a cluster the badge is asked for later than the room, so another operation may have come
    between. How many counters a post has moved is a cost, which the model does not know.
    """
    if isinstance(answer, Posted):
        return replace(answer, moved=0)
    if isinstance(answer, MarkedRead):
        return (answer.message, answer.seq, answer.moved, answer.unread)
    return answer


async def run(executor: Executor, app: str, data: st.DataObject) -> None:
    await executor.each_node("FLUSHALL")
    play = Play(executor, app)
    try:
        await build_up(play, data.draw(st.lists(OPERATIONS, max_size=6), label="history"))
        for chosen in data.draw(st.lists(OPERATIONS, min_size=2, max_size=5), label="side by side"):
            play.start(chosen)
        await settle()
        await in_drawn_order(play, data)
        play.check_answers()
        await play.recover()
        await play.check_counts()
        assert await pending(executor) == 0
    finally:
        for worker in play.workers:
            await worker.die()


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


async def build_up(play: Play, history: list[Operation]) -> None:
    """A past in which everything went well, one operation after the other."""
    members = list(USERS[:3])
    rooms: list[Operation] = [
        ("create_room", {"room": room, "tags": [TAGS[0]], "profile": {}, "members": members}) for room in ROOMS
    ]
    for past in (*rooms, *history):
        play.start(past)
        await settle()
        while tickets := play.tickets():
            await play.let_go(*tickets[0])
    play.check_answers()
    play.workers.clear()


async def pending(executor: Executor) -> int:
    """Rooms that still have pending members."""
    keys = [key for found in await executor.each_node("KEYS", "*:o") for key in found]
    return len(keys)


@pytest.mark.timeout(3600)
def test_concurrent_operations_in_any_order_with_crashes(
    cluster: Cluster, lua_dir: Path | None, full: bool, request: pytest.FixtureRequest
) -> None:
    """Answers are right when given; when the outbox is empty, every count is right."""
    schedules = 3 * (request.config.getoption("--programs") or 0) or (5000 if full else 500)
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
