"""Events as text, and what waits for a client that reads slowly."""

import base64
import json
from functools import partial

import pytest

from readstate.dialects.imkit.sockets.backlog import (
    MAX_BYTES,
    MAX_OWNER_BYTES,
    MAX_PACKETS,
    SLOW_AT,
    TAKEN_AT_ONCE_BYTES,
    Allowance,
    Allowances,
    Backlog,
)
from readstate.dialects.imkit.sockets.encoding import Encoding, as_argument, encode_json, load_json
from readstate.dialects.imkit.sockets.packets import Outgoing, Packet


def receipt(message: str, *, member: str = "ann", room: str = "r") -> Outgoing:
    return Outgoing("lastRead", encode_json({"roomID": room, "memberID": member, "messageID": message}), (room, member))


def note(text: str) -> Outgoing:
    return Outgoing("chat message", encode_json({"message": text}))


def drained(backlog: Backlog) -> list[str]:
    packets: list[Packet] = []
    while backlog:
        packets += backlog.take()
    return [json.loads(packet.text[2:])[1].popitem()[1] for packet in packets]


def a_backlog() -> Backlog:
    return Backlog(lambda: None)


def test_a_raw_event_is_a_plain_object() -> None:
    """docs.imkit.io, Socket Events: without `conf` payloads are objects."""
    assert receipt("m1").packet(Encoding.RAW).text == b'42["lastRead",{"roomID":"r","memberID":"ann","messageID":"m1"}]'


def test_a_base64_event_is_one_ascii_string() -> None:
    """Decoded with `atob` the text is pure ASCII and still says the same."""
    given = {"message": 'né \u2028 \U0001f600 \x7f \x01 \\ "'}
    event, argument = json.loads(Outgoing("chat message", encode_json(given)).packet(Encoding.BASE64).text[2:])
    text = base64.b64decode(argument, validate=True).decode("ascii")
    assert event == "chat message"
    assert json.loads(text) == given
    assert "\\u00e9" in text
    assert "\\ud83d\\ude00" in text


def test_each_encoding_is_made_once() -> None:
    """All sockets of one encoding share one packet."""
    outgoing = note("hello")
    assert outgoing.packet(Encoding.RAW) is outgoing.packet(Encoding.RAW)
    assert outgoing.packet(Encoding.RAW) is not outgoing.packet(Encoding.BASE64)


def test_an_argument_of_an_ack_follows_the_encoding() -> None:
    assert as_argument(b'{"RC":0}', Encoding.RAW) == '{"RC":0}'
    assert as_argument(b'{"RC":0}', Encoding.BASE64) == '"eyJSQyI6MH0="'


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nul", '"\ud800"', "[" * 100_000, '{"a":' * 100_000, "1 2", "NaN"])
def test_bad_json_is_a_value_error(text: str) -> None:
    """Deep nesting included, which ends in a RecursionError otherwise."""
    with pytest.raises(ValueError):
        load_json(text)


def test_a_client_that_keeps_up_is_told_every_receipt() -> None:
    backlog = a_backlog()
    for number in range(10):
        backlog.put(receipt(f"m{number}").packet(Encoding.RAW))
    assert drained(backlog) == [f"m{number}" for number in range(10)]


def test_of_a_members_receipts_only_the_newest_waits_for_a_slow_client() -> None:
    """And it waits in its own place: what came between the two is not overtaken."""
    backlog = a_backlog()
    for number in range(SLOW_AT):
        backlog.put(note(f"n{number}").packet(Encoding.RAW))
    for outgoing in (receipt("m1"), note("hello"), receipt("m2"), receipt("m2", member="bob"), receipt("m3", room="s")):
        backlog.put(outgoing.packet(Encoding.RAW))
    assert drained(backlog)[SLOW_AT:] == ["hello", "m2", "m2", "m3"]


def test_a_receipt_that_was_taken_is_not_looked_for() -> None:
    """Once the older one is on its way, both are seen."""
    backlog = a_backlog()
    for outgoing in (
        receipt("m1"),
        note("x" * TAKEN_AT_ONCE_BYTES),
        *(note(f"n{number}") for number in range(SLOW_AT)),
    ):
        backlog.put(outgoing.packet(Encoding.RAW))
    taken = backlog.take()
    backlog.put(receipt("m2").packet(Encoding.RAW))
    assert b'"m1"' in taken[0].text
    assert drained(backlog)[SLOW_AT:] == ["m2"]


def test_superseding_forgets_nothing_that_it_must_keep_and_keeps_nothing_that_it_may_forget() -> None:
    """A client that always lags a little does not make the bookkeeping grow."""
    backlog = a_backlog()
    for number in range(5_000):
        backlog.put(receipt(f"m{number}", room=f"r{number}").packet(Encoding.RAW))
        if number % 500 == 499:
            backlog.take()
        assert len(backlog._receipts) == len(backlog) < 1_000
        assert number % 100 or backlog._bytes == sum(len(packet.frame) for packet in backlog._waiting.values())


@pytest.mark.parametrize(("count", "size"), [(MAX_PACKETS, 10), (MAX_BYTES // 10_000, 10_000)])
def test_a_client_that_does_not_read_is_given_up(count: int, size: int) -> None:
    """It is told once, the memory goes at once, and nothing is taken on after that."""
    told: list[bool] = []
    backlog = Backlog(lambda: told.append(True))
    for _ in range(count + 10):
        backlog.put(note("x" * size).packet(Encoding.RAW))
    assert told == [True]
    assert len(backlog) == 0
    backlog.put(note("x").packet(Encoding.RAW))
    assert len(backlog) == 0


class Sockets:
    """The backlogs of one user, in their order; `cut` are the places of those that were given up."""

    def __init__(self, count: int) -> None:
        self.allowance = Allowance()
        self.cut: list[int] = []
        self.backlogs = [Backlog(partial(self.cut.append, place)) for place in range(count)]
        for backlog in self.backlogs:
            backlog.count_towards(self.allowance)

    def put(self, place: int, size: int) -> None:
        self.backlogs[place].put(note("x" * size).packet(Encoding.RAW))

    def counted(self) -> int:
        """What should be counted: all that waits, but for the packet of each that is sent next."""
        return sum(len(packet.frame) for backlog in self.backlogs for packet in list(backlog._waiting.values())[1:])


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 10 * MAX_BYTES])
def test_one_packet_alone_is_no_sign_of_slowness(size: int) -> None:
    """However large it is, and whatever small ones come with it; a second one behind it is."""
    sockets = Sockets(1)
    sockets.put(0, size)
    for _ in range(100):
        sockets.put(0, 1_000)
    assert sockets.cut == []
    sockets.put(0, MAX_BYTES)
    assert sockets.cut == [0]


def test_one_packet_to_each_of_a_users_sockets_is_no_sign_of_slowness() -> None:
    sockets = Sockets(100)
    for place in range(100):
        sockets.put(place, MAX_BYTES)
    assert (sockets.cut, sockets.allowance.waiting) == ([], 0)


def test_of_what_a_users_sockets_leave_together_the_one_that_leaves_most_pays() -> None:
    """And only that one: the others have room again."""
    sockets = Sockets(10)
    for place in range(10):
        sockets.put(place, 10)
        for _ in range(3):
            sockets.put(place, MAX_OWNER_BYTES // 40 + place)
    assert sockets.cut == []
    sockets.put(2, MAX_OWNER_BYTES // 20)
    sockets.put(0, MAX_OWNER_BYTES // 5)
    assert sockets.cut == [0]
    sockets.put(1, 1_000)
    sockets.put(0, 1_000)
    assert sockets.cut == [0]
    assert sockets.allowance.waiting == sockets.counted() <= MAX_OWNER_BYTES


def test_what_is_counted_is_what_waits() -> None:
    """Whatever is put, taken, superseded, given up, and wherever it is counted."""
    sockets = Sockets(3)
    for number in range(300):
        place = number % 3
        sockets.put(place, 100 + number)
        sockets.backlogs[place].put(receipt(f"m{number}").packet(Encoding.RAW))
        if number % 40 == 39:
            sockets.backlogs[place].take()
        assert sockets.allowance.waiting == sockets.counted() > 0 or number < 3
    sockets.backlogs[0].give_up()
    assert sockets.allowance.waiting == sockets.counted()
    moved = sockets.backlogs.pop()
    moved.count_towards(elsewhere := Allowance())
    assert (sockets.allowance.waiting, elsewhere.waiting) == (sockets.counted(), moved.behind)
    moved.count_towards(None)
    assert elsewhere.waiting == 0
    for backlog in sockets.backlogs:
        drained(backlog)
    assert sockets.allowance.waiting == 0


def test_an_allowance_is_kept_for_as_long_as_it_counts_something() -> None:
    allowances, backlog = Allowances(), a_backlog()
    backlog.count_towards(allowances.of("app", "ann"))
    assert allowances.of("app", "ann") is allowances.of("app", "ann")
    assert allowances.of("app", "bob") is not allowances.of("app", "ann")
    backlog.count_towards(None)
    assert len(allowances._allowances) == 0


def test_a_writer_takes_little_at_a_time() -> None:
    """What it has taken is no longer counted, though a slow client may leave it with the writer."""
    backlog = a_backlog()
    for _ in range(20):
        backlog.put(note("x" * (TAKEN_AT_ONCE_BYTES // 4)).packet(Encoding.RAW))
    sizes = []
    while backlog:
        sizes.append(len(backlog.take()))
    assert sizes == [4] * 5
