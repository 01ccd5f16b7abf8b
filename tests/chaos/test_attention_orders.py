"""On a cluster a member's attention ends while they read, ask, leave or come back.

The scripts of two operations run in every order, those of three in many, and one worker may die at
any point.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from readstate.store.connect import connect
from readstate.store.executor import Executor
from tests.support.play import Operation, Play, rooms_with_pending_members
from tests.support.schedule import Ticket, Worker, settle
from tests.support.servers import Cluster

TAGS = ["red"]

POST: Operation = (
    "post",
    {"room": "r1", "sender": "", "message": "new", "body": "{}", "countable": True, "sender_must_be_member": False},
)
SECOND_POST: Operation = ("post", {**POST[1], "message": "newer"})
READ: Operation = ("mark_read", {"room": "r1", "user": "bob", "message": "m1"})
BADGE: Operation = ("badge", {"user": "bob", "tags": ()})
BY_TAGS: Operation = ("badges_by_tags", {"user": "bob", "tags": ()})
LEAVE: Operation = ("remove_members", {"room": "r1", "members": ["bob"]})
JOIN: Operation = ("add_members", {"room": "r1", "members": ["bob"]})
DELETE: Operation = ("delete_message", {"room": "r1", "message": "m1"})
RETAG: Operation = ("set_tags", {"room": "r1", "tags": ["blue"]})

TOGETHER = (
    (POST, READ),
    (POST, BADGE),
    (POST, LEAVE),
    (POST, DELETE),
    (POST, RETAG),
    (POST, SECOND_POST),
    (POST, BADGE, LEAVE),
    (POST, LEAVE, JOIN),
    (POST, READ, BADGE),
    (POST, SECOND_POST, BY_TAGS),
    (POST, READ, LEAVE),
)

# Calls that the order of the others does not depend on.
ASIDE = ("EXISTS", "ZADD", "SET", "enter_pending_room")
SOME_ORDERS, MORE_ORDERS = 12, 800

# One of so many is chosen at the next point.
Choose = Callable[[int], int]


def the_past(attention: int, posts: int) -> list[Operation]:
    """Bob has read the first message; then there were more, of which he was told `attention`."""
    return [
        ("create_room", {"room": "r1", "tags": TAGS, "profile": {}, "members": ["bob"]}),
        ("post", {**POST[1], "message": "m1"}),
        ("post", {**POST[1], "message": "m2"}),
        ("mark_read", {"room": "r1", "user": "bob", "message": "m1"}),
        *(("post", {**POST[1], "message": f"past {number}"}) for number in range(posts)),
    ]


def in_every_order() -> Iterator[Choose]:
    """One `Choose` for each order, as long as there are others."""
    path: list[list[int]] = []  # (chosen, of how many) at each point

    def choose(at: int, number: int) -> int:
        if at == len(path):
            path.append([0, number])
        assert path[at][1] == number, "the same choices do not lead to the same point"
        return path[at][0]

    while True:
        points = iter(range(10_000))
        yield lambda number, points=points: choose(next(points), number)  # type: ignore[misc]
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        path[-1][0] += 1


def in_some_orders(seed: str, number: int) -> Iterator[Choose]:
    chance = random.Random(seed)
    for _ in range(number):
        yield chance.randrange


async def play_once(
    executor: Executor, past: list[Operation], together: tuple[Operation, ...], attention: int, choose: Choose
) -> None:
    await executor.each_node("FLUSHALL")
    play = Play(executor, "a", [attention])
    try:
        await play.run_through(past)
        for one in together:
            play.start(one)
        await settle()
        await in_chosen_order(play, choose)
        play.check_answers()
        await play.recover()
        await play.check_counts(questions)
        assert await rooms_with_pending_members(executor) == 0
    finally:
        await play.end()


async def in_chosen_order(play: Play, choose: Choose) -> None:
    """Let go one call after the other until none is left; at one point a worker may die instead."""
    died = False
    while tickets := await next_tickets(play):
        chosen = choose(len(tickets) * (1 if died else 2))
        worker, ticket = tickets[chosen % len(tickets)]
        if chosen < len(tickets):
            await play.let_go(worker, ticket)
        else:
            died = True
            await worker.die()


async def next_tickets(play: Play) -> list[tuple[Worker, Ticket]]:
    while True:
        tickets = play.tickets()
        aside = [one for one in tickets if one[1].name in ASIDE]
        if not aside:
            return tickets
        await play.let_go(*aside[0])


def questions() -> Iterator[Operation]:
    yield "members", {"room": "r1", "limit": 10}
    yield "rooms_of", {"user": "bob"}
    yield "badge", {"user": "bob", "tags": ()}
    yield "badge", {"user": "bob", "tags": ("red",)}
    yield "badges_by_tags", {"user": "bob", "tags": ()}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("together", TOGETHER, ids=lambda together: "-".join(method for method, _ in together))
def test_a_members_attention_ends_meanwhile(
    together: tuple[Operation, ...], cluster: Cluster, lua_dir: Path | None, full: bool
) -> None:
    """When all is done, what the member asks is exact, and the audit finds nothing."""
    played = 0
    with asyncio.Runner() as runner:
        executor = runner.run(connect(cluster.url, lua=lua_dir))
        for attention, posts in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2)):
            orders = in_some_orders(f"{together} {attention} {posts}", MORE_ORDERS if full else SOME_ORDERS)
            if full and len(together) == 2:
                orders = in_every_order()
            for choose in orders:
                runner.run(play_once(executor, the_past(attention, posts), together, attention, choose))
                played += 1
        runner.run(executor.close())
    print(f"{played} orders")
    assert played >= 50
