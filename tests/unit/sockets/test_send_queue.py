"""What is queued for a client that reads slowly."""

import json
import sys
from functools import partial

import pytest

from readstate.dialects.imkit.sockets.encoding import Encoding, encode_json
from readstate.dialects.imkit.sockets.packets import Packet, ServerEvent
from readstate.dialects.imkit.sockets.send_queue import (
    BATCH_BYTES,
    MAX_BYTES,
    MAX_OWNER_BYTES,
    MAX_PACKETS,
    SLOW_AT,
    QueueBudget,
    QueueBudgets,
    SendQueue,
)


def receipt(message: str, *, member: str = "ann", room: str = "r") -> ServerEvent:
    return ServerEvent(
        "lastRead", encode_json({"roomID": room, "memberID": member, "messageID": message}), (room, member)
    )


def note(text: str) -> ServerEvent:
    return ServerEvent("chat message", encode_json({"message": text}))


def drain(queue: SendQueue) -> list[str]:
    packets: list[Packet] = []
    while queue:
        packets += queue.pop_batch()
    return [json.loads(packet.text[2:])[1].popitem()[1] for packet in packets]


def a_queue() -> SendQueue:
    return SendQueue(lambda: None)


def test_a_client_that_keeps_up_gets_every_receipt() -> None:
    queue = a_queue()
    for number in range(10):
        queue.push(receipt(f"m{number}").packet(Encoding.RAW))
    assert drain(queue) == [f"m{number}" for number in range(10)]


def test_a_slow_client_gets_only_the_newest_receipt_of_a_member() -> None:
    """It keeps its own place in the queue, and overtakes nothing."""
    queue = a_queue()
    for number in range(SLOW_AT):
        queue.push(note(f"n{number}").packet(Encoding.RAW))
    for event in (receipt("m1"), note("hello"), receipt("m2"), receipt("m2", member="bob"), receipt("m3", room="s")):
        queue.push(event.packet(Encoding.RAW))
    assert drain(queue)[SLOW_AT:] == ["hello", "m2", "m2", "m3"]


def test_a_receipt_that_was_popped_is_not_superseded() -> None:
    """The older one is being sent, so the client gets both."""
    queue = a_queue()
    for event in (
        receipt("m1"),
        note("x" * BATCH_BYTES),
        *(note(f"n{number}") for number in range(SLOW_AT)),
    ):
        queue.push(event.packet(Encoding.RAW))
    batch = queue.pop_batch()
    queue.push(receipt("m2").packet(Encoding.RAW))
    assert b'"m1"' in batch[0].text
    assert drain(queue)[SLOW_AT:] == ["m2"]


def test_the_index_of_receipts_holds_exactly_the_queued_ones() -> None:
    """It does not grow for a client that always lags a little."""
    queue = a_queue()
    for number in range(5_000):
        queue.push(receipt(f"m{number}", room=f"r{number}").packet(Encoding.RAW))
        if number % 500 == 499:
            queue.pop_batch()
        assert len(queue._receipts) == len(queue) < 1_000
        assert number % 100 or queue._total_bytes == sum(len(packet.frame) for packet in queue._packets.values())


def test_a_queue_that_was_long_keeps_no_memory() -> None:
    queue = a_queue()
    for number in range(900):
        queue.push(receipt(f"m{number}", room=f"r{number}").packet(Encoding.RAW))
    while queue:
        queue.pop_batch()
    assert sys.getsizeof(queue._packets) == sys.getsizeof(queue._receipts) == sys.getsizeof({})


@pytest.mark.parametrize(("count", "size"), [(MAX_PACKETS, 10), (MAX_BYTES // 10_000, 10_000)])
def test_the_queue_of_a_client_that_does_not_read_overflows(count: int, size: int) -> None:
    """That is reported once, the memory is freed at once, and no more packets are accepted."""
    overflows: list[bool] = []
    queue = SendQueue(lambda: overflows.append(True))
    for _ in range(count + 10):
        queue.push(note("x" * size).packet(Encoding.RAW))
    assert overflows == [True]
    assert len(queue) == 0
    queue.push(note("x").packet(Encoding.RAW))
    assert len(queue) == 0


class Queues:
    """The queues of one user. `overflowed`: the places of those that overflowed, in order."""

    def __init__(self, count: int) -> None:
        self.budget = QueueBudget()
        self.overflowed: list[int] = []
        self.all = [SendQueue(partial(self.overflowed.append, place)) for place in range(count)]
        for queue in self.all:
            queue.count_in(self.budget)

    def push(self, place: int, size: int) -> None:
        self.all[place].push(note("x" * size).packet(Encoding.RAW))

    def counted(self) -> int:
        """What should be counted: all packets but the first of each queue."""
        return sum(len(packet.frame) for queue in self.all for packet in list(queue._packets.values())[1:])


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10 * MAX_BYTES])
def test_one_packet_alone_is_no_sign_of_slowness(size: int) -> None:
    """However large it is, also with small ones behind it. A second large one is a sign."""
    queues = Queues(1)
    queues.push(0, size)
    for _ in range(100):
        queues.push(0, 1_000)
    assert queues.overflowed == []
    queues.push(0, MAX_BYTES)
    assert queues.overflowed == [0]


def test_one_packet_to_each_of_a_users_connections_is_no_sign_of_slowness() -> None:
    queues = Queues(100)
    for place in range(100):
        queues.push(place, MAX_BYTES)
    assert (queues.overflowed, queues.budget.used_bytes) == ([], 0)


def test_when_a_users_budget_is_exceeded_the_longest_queue_overflows() -> None:
    """Only that one: then the others have room again."""
    queues = Queues(10)
    for place in range(10):
        queues.push(place, 10)
        for _ in range(3):
            queues.push(place, MAX_OWNER_BYTES // 40 + place)
    assert queues.overflowed == []
    queues.push(2, MAX_OWNER_BYTES // 20)
    queues.push(0, MAX_OWNER_BYTES // 5)
    assert queues.overflowed == [0]
    queues.push(1, 1_000)
    queues.push(0, 1_000)
    assert queues.overflowed == [0]
    assert queues.budget.used_bytes == queues.counted() <= MAX_OWNER_BYTES


def test_what_is_counted_is_what_is_queued() -> None:
    """Whatever is pushed, popped, superseded or dropped, and in whatever budget it counts."""
    queues = Queues(3)
    for number in range(300):
        place = number % 3
        queues.push(place, 100 + number)
        queues.all[place].push(receipt(f"m{number}").packet(Encoding.RAW))
        if number % 40 == 39:
            queues.all[place].pop_batch()
        assert queues.budget.used_bytes == queues.counted() > 0 or number < 3
    queues.all[0].overflow()
    assert queues.budget.used_bytes == queues.counted()
    moved = queues.all.pop()
    moved.count_in(elsewhere := QueueBudget())
    assert (queues.budget.used_bytes, elsewhere.used_bytes) == (queues.counted(), moved.counted_bytes)
    moved.count_in(None)
    assert elsewhere.used_bytes == 0
    for queue in queues.all:
        drain(queue)
    assert queues.budget.used_bytes == 0


def test_a_budget_lasts_as_long_as_a_queue_is_counted_in_it() -> None:
    budgets, queue = QueueBudgets(), a_queue()
    queue.count_in(budgets.of("app", "ann"))
    assert budgets.of("app", "ann") is budgets.of("app", "ann")
    assert budgets.of("app", "bob") is not budgets.of("app", "ann")
    queue.count_in(None)
    assert len(budgets._budgets) == 0


def test_a_batch_is_small() -> None:
    """It is no longer counted, though the transport may send it slowly."""
    queue = a_queue()
    for _ in range(20):
        queue.push(note("x" * (BATCH_BYTES // 4)).packet(Encoding.RAW))
    sizes = []
    while queue:
        sizes.append(len(queue.pop_batch()))
    assert sizes == [4] * 5
