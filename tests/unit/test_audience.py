"""Who hears what, and the race between the store's answer and the stream of notices."""

import asyncio
import random

import pytest

from readstate.dialects.imkit.sockets.audience import Audience
from readstate.errors import Unavailable

APP = "demo"


class SlowStore:
    """Answers "which rooms" when told to, with the rooms of whatever moment the test wants."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[list[str]]] = asyncio.Queue()

    async def rooms_of(self, app: str, user: str) -> list[str]:
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(answer)
        return await answer

    async def answer(self, *rooms: str) -> None:
        (await self.asked.get()).set_result(list(rooms))


@pytest.fixture
def slow() -> SlowStore:
    return SlowStore()


@pytest.fixture
def audience(slow: SlowStore) -> Audience[str]:
    return Audience(slow.rooms_of)


async def let_in(audience: Audience[str], slow: SlowStore, user: str, socket: str, *rooms: str) -> None:
    """`socket` of `user` is let in; the store says that the user is in `rooms`."""
    admission = asyncio.create_task(audience.admit(APP, user, socket))
    await slow.answer(*rooms)
    await admission


def hearing(audience: Audience[str], room: str) -> list[str]:
    return sorted(audience.hearing(APP, room))


async def test_every_socket_of_a_member_hears_the_room(audience: Audience[str], slow: SlowStore) -> None:
    """Two devices of one user share one question to the store."""
    await let_in(audience, slow, "ann", "phone", "r")
    await audience.admit(APP, "ann", "laptop")
    assert hearing(audience, "r") == ["laptop", "phone"]
    assert slow.asked.empty()


async def test_another_app_hears_nothing(audience: Audience[str], slow: SlowStore) -> None:
    """The same user and room in another app are somebody and somewhere else."""
    await let_in(audience, slow, "ann", "phone", "r")
    audience.joined("other", "r", ["ann"])
    audience.left("other", "r", ["ann"])
    assert list(audience.hearing("other", "r")) == []
    assert hearing(audience, "r") == ["phone"]


async def test_a_removed_member_hears_nothing_more(audience: Audience[str], slow: SlowStore) -> None:
    await let_in(audience, slow, "ann", "phone", "r", "s")
    audience.left(APP, "r", ["ann"])
    assert hearing(audience, "r") == []
    assert hearing(audience, "s") == ["phone"]


async def test_a_deleted_room_has_no_audience(audience: Audience[str], slow: SlowStore) -> None:
    await let_in(audience, slow, "ann", "phone", "r")
    audience.room_deleted(APP, "r")
    assert not audience.hears(APP, "r")


async def test_a_join_heard_while_loading_is_not_lost(audience: Audience[str], slow: SlowStore) -> None:
    """The store's answer is older than the join."""
    admission = asyncio.create_task(audience.admit(APP, "ann", "phone"))
    answer = await slow.asked.get()
    audience.joined(APP, "r", ["ann"])
    answer.set_result([])
    await admission
    assert hearing(audience, "r") == ["phone"]


async def test_a_leave_heard_while_loading_is_not_undone(audience: Audience[str], slow: SlowStore) -> None:
    """The store's answer is older than the leave, and would bring the room back."""
    admission = asyncio.create_task(audience.admit(APP, "ann", "phone"))
    answer = await slow.asked.get()
    audience.left(APP, "r", ["ann"])
    answer.set_result(["r"])
    await admission
    assert hearing(audience, "r") == []


async def test_a_room_deleted_while_loading_stays_deleted(audience: Audience[str], slow: SlowStore) -> None:
    admission = asyncio.create_task(audience.admit(APP, "ann", "phone"))
    answer = await slow.asked.get()
    audience.room_deleted(APP, "r")
    answer.set_result(["r"])
    await admission
    assert hearing(audience, "r") == []


async def test_of_several_changes_while_loading_the_last_one_counts(audience: Audience[str], slow: SlowStore) -> None:
    admission = asyncio.create_task(audience.admit(APP, "ann", "phone"))
    answer = await slow.asked.get()
    audience.joined(APP, "r", ["ann"])
    audience.left(APP, "r", ["ann"])
    audience.left(APP, "s", ["ann"])
    audience.joined(APP, "s", ["ann"])
    answer.set_result(["r"])
    await admission
    assert hearing(audience, "r") == []
    assert hearing(audience, "s") == ["phone"]


async def test_a_gap_while_loading_asks_again(audience: Audience[str], slow: SlowStore) -> None:
    """An answer from before the gap may miss what the gap swallowed."""
    admission = asyncio.create_task(audience.admit(APP, "ann", "phone"))
    before = await slow.asked.get()
    repair = asyncio.create_task(audience.reload(APP))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    before.set_result(["old"])
    await slow.answer("new")
    await admission
    assert await repair == []
    assert hearing(audience, "new") == ["phone"]
    assert hearing(audience, "old") == []


async def test_after_a_gap_the_rooms_are_those_of_the_store(audience: Audience[str], slow: SlowStore) -> None:
    """A leave and a join were lost; a join heard during the repair is kept."""
    await let_in(audience, slow, "ann", "phone", "left", "kept")
    repair = asyncio.create_task(audience.reload(APP))
    answer = await slow.asked.get()
    assert hearing(audience, "kept") == ["phone"]
    audience.joined(APP, "later", ["ann"])
    answer.set_result(["kept", "joined"])
    assert await repair == []
    assert [hearing(audience, room) for room in ("left", "kept", "joined", "later")] == [
        [],
        ["phone"],
        ["phone"],
        ["phone"],
    ]


async def test_who_cannot_be_repaired_hears_nothing(audience: Audience[str], slow: SlowStore) -> None:
    """Better to send a client away than to tell it what it may no longer hear."""
    await let_in(audience, slow, "ann", "phone", "r")
    repair = asyncio.create_task(audience.reload(APP))
    (await slow.asked.get()).set_exception(Unavailable("down"))
    assert await repair == ["phone"]
    assert hearing(audience, "r") == []


async def test_a_store_that_fails_lets_nobody_in(audience: Audience[str], slow: SlowStore) -> None:
    admission = asyncio.create_task(audience.admit(APP, "ann", "phone"))
    (await slow.asked.get()).set_exception(Unavailable("down"))
    with pytest.raises(Unavailable):
        await admission
    assert audience.sockets_of(APP, "ann") == []
    await let_in(audience, slow, "ann", "phone", "r")
    assert hearing(audience, "r") == ["phone"]


async def test_the_last_socket_takes_everything_along(audience: Audience[str], slow: SlowStore) -> None:
    """Nothing is kept of a user without sockets, and the next one is asked for afresh."""
    await let_in(audience, slow, "ann", "phone", "r")
    audience.dismiss(APP, "ann", "phone")
    audience.dismiss(APP, "ann", "phone")
    assert not audience.hears(APP, "r")
    assert (audience._people, dict(audience._members)) == ({}, {})
    await let_in(audience, slow, "ann", "laptop", "s")
    assert hearing(audience, "s") == ["laptop"]


async def test_who_gives_up_while_loading_leaves_nothing_behind(audience: Audience[str], slow: SlowStore) -> None:
    admission = asyncio.create_task(audience.admit(APP, "ann", "phone"))
    answer = await slow.asked.get()
    admission.cancel()
    await asyncio.wait({admission})
    answer.set_result(["r"])
    await asyncio.sleep(0.01)
    assert (audience._people, dict(audience._members)) == ({}, {})


class History:
    """The joins and leaves of one user as they happened, the part of them that the stream has brought, and a store that knows all."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.events: list[tuple[str, bool]] = []
        self.heard = 0
        self.audience: Audience[str] = Audience(self.rooms_of)

    def happen(self) -> None:
        room = self.random.choice("rst")
        self.events.append((room, room not in self.rooms_at(len(self.events))))

    def rooms_at(self, moment: int) -> set[str]:
        rooms: set[str] = set()
        for room, joined in self.events[:moment]:
            (rooms.add if joined else rooms.discard)(room)
        return rooms

    async def rooms_of(self, app: str, user: str) -> list[str]:
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        seen = self.rooms_at(len(self.events))
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        return sorted(seen)

    def hear(self) -> None:
        room, joined = self.events[self.heard]
        self.heard += 1
        (self.audience.joined if joined else self.audience.left)(APP, room, ["ann"])

    def lose(self) -> None:
        """The stream breaks: what was not heard yet never will be."""
        self.heard = len(self.events)

    def check_room(self, room: str) -> None:
        """What the stream told last about a room is what holds, unless the store knows of something later."""
        told = [joined for name, joined in self.events[: self.heard] if name == room]
        coming = [joined for name, joined in self.events[self.heard :] if name == room]
        if told and not coming:
            assert bool(hearing(self.audience, room)) == told[-1]


@pytest.mark.parametrize("seed", range(300))
async def test_any_interleaving_ends_with_the_rooms_of_the_store(seed: int) -> None:
    """Joins, leaves, sockets that come and go, and gaps, in random order."""
    history = History(seed)
    tasks: list[asyncio.Task[object]] = []
    for step in range(40):
        match history.random.randrange(8):
            case 0 | 1:
                history.happen()
            case 2 | 3 | 4:
                if history.heard < len(history.events):
                    history.hear()
            case 5:
                tasks.append(asyncio.create_task(history.audience.admit(APP, "ann", f"socket-{step}")))
            case 6:
                for socket in history.audience.sockets_of(APP, "ann")[:1]:
                    history.audience.dismiss(APP, "ann", socket)
            case 7:
                history.lose()
                tasks.append(asyncio.create_task(history.audience.reload(APP)))
        await asyncio.sleep(0)
    tasks.append(asyncio.create_task(history.audience.admit(APP, "ann", "last")))
    await asyncio.gather(*tasks)
    while history.heard < len(history.events):
        history.hear()
    for room in "rst":
        history.check_room(room)
        assert ("last" in hearing(history.audience, room)) == (room in history.rooms_at(len(history.events)))
