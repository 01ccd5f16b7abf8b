"""`lastRead` in large rooms: what waits, what is merged, and who hears it."""

import asyncio
from typing import Any

import pytest

from readstate.dialects.imkit.sockets.receipts import MIN_WINDOW_S, WRITE_S, Receipts
from readstate.domain.notices import CursorMoved
from tests.support.devices import reached
from tests.support.waiting import wait_until

APP = "demo"
LARGE = int(10 * MIN_WINDOW_S / WRITE_S)  # connections


class Session:
    def __init__(self, user: str) -> None:
        self.user = user


class Connection:
    """Remembers (member, message) of each packet."""

    def __init__(self, user: str = "ann") -> None:
        self.session = Session(user)
        self.watched: frozenset[str] | None = None
        self.packets: list[list[str]] = []

    def send_event(self, event: Any) -> None:
        self.packets.append([_name(event)])

    def send_batch(self, batch: Any) -> None:
        self.packets.append([_name(event) for event in batch.events])


def _name(event: Any) -> str:
    return f"{event.receipt[1]} {event._payload.decode().partition('messageID')[2].strip(':{}' + chr(34))}"


class Hub:
    """`rooms`: the connections of each."""

    def __init__(self, rooms: dict[str, list[Connection]]) -> None:
        self._rooms = rooms

    def subscribers(self, app: str, room: str) -> list[Connection]:
        return self._rooms[room]


def receipts(rooms: dict[str, list[Connection]]) -> Receipts:
    hub: Any = Hub(rooms)
    return Receipts(hub)


def read(member: str, message: str, room: str = "r") -> CursorMoved:
    return CursorMoved(room, member, message, 1)


async def test_in_a_small_room_each_read_is_told_at_once() -> None:
    phone = Connection()
    sent = receipts({"r": [phone]})
    for number in range(20):
        sent.send(APP, read("ann", f"m{number}"))
    assert phone.packets == [[f"ann m{number}"] for number in range(20)]


async def test_in_a_large_one_the_newest_of_each_member_go_together() -> None:
    phone = Connection()
    sent = receipts({"r": [phone] * LARGE, "s": [(other := Connection())]})
    for member, message in (("ann", "m1"), ("ann", "m2"), ("bob", "m1"), ("ann", "m3")):
        sent.send(APP, read(member, message))
    sent.send(APP, read("cy", "m1", "s"))
    assert phone.packets == [["ann m1"]] * LARGE
    assert other.packets == [["cy m1"]], "another room has waited"
    phone.packets.clear()
    await wait_until(lambda: reached(phone.packets, 1), "the window to end")
    assert phone.packets == [["bob m1", "ann m3"]] * LARGE


async def test_what_else_a_room_announces_comes_after_the_reads_before_it() -> None:
    phone = Connection()
    sent = receipts({"r": [phone] * LARGE})
    sent.send(APP, read("ann", "m1"))
    sent.send(APP, read("ann", "m2"))
    sent.flush(APP, "r")
    assert phone.packets[LARGE:] == [["ann m2"]] * LARGE
    sent.flush(APP, "r")
    assert len(phone.packets) == 2 * LARGE


@pytest.mark.parametrize(("size", "waits"), [(1, False), (LARGE, True)])
async def test_a_connection_that_watches_other_rooms_hears_of_its_own_user(size: int, waits: bool) -> None:
    """Whether or not the reads of the room are sent together."""
    watching, showing = Connection("ann"), Connection("bob")
    watching.watched, showing.watched = frozenset({"s"}), frozenset({"r"})
    sent = receipts({"r": [watching, showing, *[Connection("cy")] * (size - 1)]})
    for member in ("dee", "ann", "bob"):
        sent.send(APP, read(member, "m1"))
    await wait_until(lambda: reached([one for packet in showing.packets for one in packet], 3), "the window to end")
    assert watching.packets == [["ann m1"]]
    assert (len(showing.packets) == 2) == waits


async def test_under_load_small_rooms_wait_too() -> None:
    """What the worker has to write elsewhere is added to the window, up to a limit."""
    phone = Connection()
    rooms = {f"large{number}": [Connection()] * LARGE for number in range(3)}
    sent = receipts({"r": [phone], **rooms})
    for room in rooms:
        sent.send(APP, read("ann", "m1", room))
    sent.send(APP, read("ann", "m1"))
    sent.send(APP, read("ann", "m2"))
    assert phone.packets == [["ann m1"]]
    began_s = asyncio.get_running_loop().time()
    await wait_until(lambda: reached(phone.packets, 2), "the window to end")
    assert asyncio.get_running_loop().time() - began_s < 1
