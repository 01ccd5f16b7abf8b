"""Which connections receive the events of which room; the race of the store and the stream."""

import asyncio
import random

import pytest

from readstate.dialects.imkit.sockets.hub import Hub
from readstate.errors import Unavailable

APP = "demo"


class SlowStore:
    """Answers "which rooms" when told to, with the rooms of whatever moment the test wants."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[list[str]]] = asyncio.Queue()

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(answer)
        return await answer

    async def answer(self, *rooms: str) -> None:
        (await self.asked.get()).set_result(list(rooms))


@pytest.fixture
def slow() -> SlowStore:
    return SlowStore()


@pytest.fixture
def hub(slow: SlowStore) -> Hub[str]:
    return Hub(slow.rooms_of)


async def add(hub: Hub[str], slow: SlowStore, user: str, connection: str, *rooms: str) -> None:
    """Add a connection of `user`; the store says that the user is in `rooms`."""
    adding = asyncio.create_task(hub.add(APP, user, connection))
    await slow.answer(*rooms)
    await adding


def subscribers(hub: Hub[str], room: str) -> list[str]:
    return sorted(hub.subscribers(APP, room))


async def test_each_connection_of_a_member_receives_the_events_of_the_room(hub: Hub[str], slow: SlowStore) -> None:
    """Two devices of one user need one request to the store."""
    await add(hub, slow, "ann", "phone", "r")
    await hub.add(APP, "ann", "laptop")
    assert subscribers(hub, "r") == ["laptop", "phone"]
    assert slow.asked.empty()


async def test_another_app_receives_nothing(hub: Hub[str], slow: SlowStore) -> None:
    """A user and a room of the same name in another app are others."""
    await add(hub, slow, "ann", "phone", "r")
    hub.on_joined("other", "r", ["ann"])
    hub.on_left("other", "r", ["ann"])
    assert list(hub.subscribers("other", "r")) == []
    assert subscribers(hub, "r") == ["phone"]


async def test_a_removed_member_receives_nothing_more(hub: Hub[str], slow: SlowStore) -> None:
    await add(hub, slow, "ann", "phone", "r", "s")
    hub.on_left(APP, "r", ["ann"])
    assert subscribers(hub, "r") == []
    assert subscribers(hub, "s") == ["phone"]


async def test_a_deleted_room_has_no_subscribers(hub: Hub[str], slow: SlowStore) -> None:
    await add(hub, slow, "ann", "phone", "r")
    hub.on_room_deleted(APP, "r")
    assert not hub.has_subscribers(APP, "r")


async def test_a_join_while_loading_is_not_lost(hub: Hub[str], slow: SlowStore) -> None:
    """The store's answer is older than the join."""
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    answer = await slow.asked.get()
    hub.on_joined(APP, "r", ["ann"])
    answer.set_result([])
    await adding
    assert subscribers(hub, "r") == ["phone"]


async def test_a_leave_while_loading_is_not_undone(hub: Hub[str], slow: SlowStore) -> None:
    """The store's answer is older than the leave, and would bring the room back."""
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    answer = await slow.asked.get()
    hub.on_left(APP, "r", ["ann"])
    answer.set_result(["r"])
    await adding
    assert subscribers(hub, "r") == []


async def test_a_room_deleted_while_loading_stays_deleted(hub: Hub[str], slow: SlowStore) -> None:
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    answer = await slow.asked.get()
    hub.on_room_deleted(APP, "r")
    answer.set_result(["r"])
    await adding
    assert subscribers(hub, "r") == []


async def test_of_several_changes_while_loading_the_last_one_counts(hub: Hub[str], slow: SlowStore) -> None:
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    answer = await slow.asked.get()
    hub.on_joined(APP, "r", ["ann"])
    hub.on_left(APP, "r", ["ann"])
    hub.on_left(APP, "s", ["ann"])
    hub.on_joined(APP, "s", ["ann"])
    answer.set_result(["r"])
    await adding
    assert subscribers(hub, "r") == []
    assert subscribers(hub, "s") == ["phone"]


async def test_a_gap_while_loading_asks_again(hub: Hub[str], slow: SlowStore) -> None:
    """An answer from before the gap may lack what was lost in it."""
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    before = await slow.asked.get()
    reload = asyncio.create_task(hub.reload(APP))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    before.set_result(["old"])
    await slow.answer("new")
    await adding
    assert await reload == []
    assert subscribers(hub, "new") == ["phone"]
    assert subscribers(hub, "old") == []


async def test_after_a_gap_the_rooms_are_those_of_the_store(hub: Hub[str], slow: SlowStore) -> None:
    """A leave and a join were lost; a join during the reload is kept."""
    await add(hub, slow, "ann", "phone", "left", "kept")
    reload = asyncio.create_task(hub.reload(APP))
    answer = await slow.asked.get()
    assert subscribers(hub, "kept") == ["phone"]
    hub.on_joined(APP, "later", ["ann"])
    answer.set_result(["kept", "joined"])
    assert await reload == []
    assert [subscribers(hub, room) for room in ("left", "kept", "joined", "later")] == [
        [],
        ["phone"],
        ["phone"],
        ["phone"],
    ]


async def test_without_an_answer_after_a_gap_connections_are_removed(hub: Hub[str], slow: SlowStore) -> None:
    """They might receive events that their user may no longer see."""
    await add(hub, slow, "ann", "phone", "r")
    reload = asyncio.create_task(hub.reload(APP))
    (await slow.asked.get()).set_exception(Unavailable("down"))
    assert await reload == ["phone"]
    assert subscribers(hub, "r") == []


async def test_a_failing_store_adds_no_connection(hub: Hub[str], slow: SlowStore) -> None:
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    (await slow.asked.get()).set_exception(Unavailable("down"))
    with pytest.raises(Unavailable):
        await adding
    assert hub.connections_of(APP, "ann") == []
    await add(hub, slow, "ann", "phone", "r")
    assert subscribers(hub, "r") == ["phone"]


async def test_after_the_last_connection_nothing_is_kept(hub: Hub[str], slow: SlowStore) -> None:
    """The rooms are read again for the user's next connection."""
    await add(hub, slow, "ann", "phone", "r")
    hub.remove(APP, "ann", "phone")
    hub.remove(APP, "ann", "phone")
    assert not hub.has_subscribers(APP, "r")
    assert (hub._users, dict(hub._subscribers)) == ({}, {})
    await add(hub, slow, "ann", "laptop", "s")
    assert subscribers(hub, "s") == ["laptop"]


async def test_a_connection_that_is_cancelled_while_loading_leaves_nothing_behind(
    hub: Hub[str], slow: SlowStore
) -> None:
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    answer = await slow.asked.get()
    adding.cancel()
    await asyncio.wait({adding})
    answer.set_result(["r"])
    await asyncio.sleep(0.01)
    assert (hub._users, dict(hub._subscribers)) == ({}, {})


class History:
    """The joins and leaves of one user: the store knows all, the stream has brought some."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.events: list[tuple[str, bool]] = []
        self.received = 0
        self.hub: Hub[str] = Hub(self.rooms_of)

    def happen(self) -> None:
        room = self.random.choice("rst")
        self.events.append((room, room not in self.rooms_at(len(self.events))))

    def rooms_at(self, moment: int) -> set[str]:
        rooms: set[str] = set()
        for room, joined in self.events[:moment]:
            (rooms.add if joined else rooms.discard)(room)
        return rooms

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        seen = self.rooms_at(len(self.events))
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        return sorted(seen)

    def receive(self) -> None:
        room, joined = self.events[self.received]
        self.received += 1
        (self.hub.on_joined if joined else self.hub.on_left)(APP, room, ["ann"])

    def lose(self) -> None:
        """The stream breaks: what has not arrived yet is lost."""
        self.received = len(self.events)

    def check_room(self, room: str) -> None:
        """The last change in the stream holds, unless the store knows of a later one."""
        arrived = [joined for name, joined in self.events[: self.received] if name == room]
        coming = [joined for name, joined in self.events[self.received :] if name == room]
        if arrived and not coming:
            assert bool(subscribers(self.hub, room)) == arrived[-1]


@pytest.mark.parametrize("seed", range(300))
async def test_any_interleaving_ends_with_the_rooms_of_the_store(seed: int) -> None:
    """Joins, leaves, new and closed connections, and gaps, in random order."""
    history = History(seed)
    tasks: list[asyncio.Task[object]] = []
    for step in range(40):
        match history.random.randrange(8):
            case 0 | 1:
                history.happen()
            case 2 | 3 | 4:
                if history.received < len(history.events):
                    history.receive()
            case 5:
                tasks.append(asyncio.create_task(history.hub.add(APP, "ann", f"connection-{step}")))
            case 6:
                for connection in history.hub.connections_of(APP, "ann")[:1]:
                    history.hub.remove(APP, "ann", connection)
            case 7:
                history.lose()
                tasks.append(asyncio.create_task(history.hub.reload(APP)))
        await asyncio.sleep(0)
    tasks.append(asyncio.create_task(history.hub.add(APP, "ann", "last")))
    await asyncio.gather(*tasks)
    while history.received < len(history.events):
        history.receive()
    for room in "rst":
        history.check_room(room)
        assert ("last" in subscribers(history.hub, room)) == (room in history.rooms_at(len(history.events)))
