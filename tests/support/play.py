"""Concurrent operations on a cluster, script by script, and what must hold in the end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from readstate.domain.messages import Posted
from readstate.domain.reading import MarkedRead
from readstate.errors import ReadStateError, RoomUnknown
from readstate.store.executor import Executor
from readstate.store.plan_split import SplitPlan
from readstate.store.redis_store import redis_store
from tests.support.calls import recover_all
from tests.support.copies import LIMIT, USERS
from tests.support.machine import TAGS, in_order, outcome_of
from tests.support.model import ModelStore
from tests.support.nouns import operation_of
from tests.support.schedule import Ticket, Worker, settle

ROOMS = ("r1", "r:2")
MESSAGES = tuple(f"m{number}" for number in range(5))
# Operations whose answers are compared only when nothing else runs.
QUESTIONS = ("badge", "badges_by_tags", "subscriptions", "rooms_of", "badges_after")

Operation = tuple[str, dict[str, Any]]


class Play:
    """One run: a history, then operations side by side, then recovery.

    `attention`: after how many posts a member is no longer told, of each worker in turn.
    """

    def __init__(self, executor: Executor, app: str, attention: Sequence[int]) -> None:
        self.executor = executor
        self.app = app
        self.attention = list(attention)
        self.clock = 0
        self.model = ModelStore(now_ms=lambda: self.clock)
        self.workers: list[Worker] = []

    def start(self, operation: Operation) -> None:
        method, arguments = operation
        self.attention.append(self.attention.pop(0))
        self.workers.append(
            Worker.start(
                self.executor,
                method,
                {"app": self.app, **arguments},
                fanout_limit=LIMIT,
                attention_posts=self.attention[0],
            )
        )

    def tickets(self) -> list[tuple[Worker, Ticket]]:
        return [(worker, ticket) for worker in self.workers for ticket in worker.executor.tickets]

    async def let_go(self, worker: Worker, ticket: Ticket) -> None:
        """Let one script run.

        When it is the one that changes the room, the model changes at the same moment. Some
        operations look at the room first. When there is none they are refused, as the model is.
        """
        reply = await worker.let_go(ticket)
        if worker.method in QUESTIONS:
            return
        if ticket.name == "room" and isinstance(reply, RoomUnknown):
            worker.expected.append(RoomUnknown)
        elif ticket.name == worker.method:
            if ticket.name == "post" and not isinstance(reply, ReadStateError):
                self.clock = reply[0].at_ms
            worker.expected.append(await outcome_of(operation_of(self.model, worker.method)(**worker.arguments)))

    async def run_through(self, operations: Iterable[Operation]) -> None:
        """Operations that go well, one after the other."""
        for one in operations:
            self.start(one)
            await settle()
            while tickets := self.tickets():
                await self.let_go(*tickets[0])
        self.check_answers()
        self.workers.clear()

    def check_answers(self) -> None:
        """Each worker that did not die answered what the model said when the room's script ran."""
        for worker in self.workers:
            if worker.task.done() and not worker.task.cancelled():
                error = worker.task.exception()
                assert error is None or isinstance(error, ReadStateError), repr(error)
                answer = type(error) if error else worker.task.result()
                if worker.method not in QUESTIONS:
                    assert _without_badge(answer) == _without_badge(worker.expected[0])

    async def recover(self) -> None:
        """What any worker does a few seconds after another one died."""
        store = redis_store(self.executor, fanout_limit=LIMIT, attention_posts=self.attention[0])
        assert isinstance(store.outbox, SplitPlan)
        await recover_all(store.outbox.recovery, older_than_s=-10)
        await store.outbox.idle()

    async def check_counts(self, questions: Callable[[], Iterator[Operation]] | None = None) -> None:
        """The audit finds nothing, before and after the users ask; and every answer is right."""
        store = redis_store(self.executor, fanout_limit=LIMIT, attention_posts=self.attention[0])
        assert await store.audit.audit_all(repair=False) == []
        for method, arguments in (questions or all_questions)():
            real = await outcome_of(operation_of(store, method)(app=self.app, **arguments))
            assert in_order(real) == in_order(
                await outcome_of(operation_of(self.model, method)(app=self.app, **arguments))
            ), (method, arguments)
        await store.outbox.idle()
        assert await store.audit.audit_all(repair=False) == []

    async def end(self) -> None:
        for worker in self.workers:
            await worker.die()


def all_questions() -> Iterator[Operation]:
    for room in ROOMS:
        yield "members", {"room": room, "limit": 1000}
        yield "receipt_counts", {"room": room, "messages": MESSAGES}
    for user in USERS:
        yield "rooms_of", {"user": user}
        yield "badge", {"user": user, "tags": ()}
        yield "badge", {"user": user, "tags": TAGS[:2]}
        yield "badges_by_tags", {"user": user, "tags": ()}


async def rooms_with_pending_members(executor: Executor) -> int:
    keys = [key for found in await executor.each_node("KEYS", "*:o") for key in found]
    return len(keys)


def _without_badge(answer: Any) -> Any:
    """An answer without what may differ.

    On a cluster the badge is asked for later than the room, so another operation may have come
    between. How many counters a post has moved is a cost, which the model does not know.
    """
    if isinstance(answer, Posted):
        return replace(answer, moved=0)
    if isinstance(answer, MarkedRead):
        return (answer.message, answer.seq, answer.moved, answer.unread)
    return answer
