"""Which connections receive the events of which room; the race of the store and the stream."""

import asyncio
import gc
import random
import weakref

import pytest

from readstate.dialects.imkit.sockets.hub import LOADS_AT_MOST, Hub
from readstate.domain.notices import Topic
from readstate.errors import Unavailable
from tests.support.counted_notices import CountedNotices

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
def heard() -> CountedNotices:
    return CountedNotices()


@pytest.fixture
def hub(slow: SlowStore, heard: CountedNotices) -> Hub[str]:
    return Hub(slow.rooms_of, heard)


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


class Id(str):
    """An id of which a test knows whether it is still in memory."""


async def test_the_members_of_a_room_share_its_id_until_the_last_one_leaves(
    hub: Hub[str], slow: SlowStore, heard: CountedNotices
) -> None:
    ids = []
    for user in ("ann", "bob"):
        ids.append(weakref.ref(room := Id("r")))
        await add(hub, slow, user, f"phone of {user}", room)
        del room
    gc.collect()
    assert [known() for known in ids] == ["r", None]
    for user in ("ann", "bob"):
        hub.remove(APP, user, f"phone of {user}")
    heard.known.clear()
    heard.counts.clear()
    gc.collect()
    assert [known() for known in ids] == [None, None]


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
    """The store's answer is older than the join. The room is listened to for others, if at all."""
    unsettled: list[tuple[str, str, str, bool]] = []
    hub.on_unsettled = lambda *what: unsettled.append(what)
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    answer = await slow.asked.get()
    hub.on_joined(APP, "r", ["ann"])
    answer.set_result([])
    await adding
    assert unsettled == [(APP, "ann", "r", True)]


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
    answer.set_result(["r", "s"])
    await adding
    assert subscribers(hub, "r") == []
    assert subscribers(hub, "s") == ["phone"]


async def test_a_gap_while_loading_asks_again(hub: Hub[str], slow: SlowStore) -> None:
    """An answer from before the gap may lack what was lost in it."""
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    before = await slow.asked.get()
    assert hub.remove_concerned([Topic.user(APP, "ann")]) == []
    before.set_result(["old"])
    await slow.answer("new")
    await adding
    assert subscribers(hub, "new") == ["phone"]
    assert subscribers(hub, "old") == []


async def test_a_user_whose_notices_are_lost_again_and_again_is_refused(hub: Hub[str], slow: SlowStore) -> None:
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    for _ in range(LOADS_AT_MOST):
        answer = await slow.asked.get()
        hub.remove_concerned([Topic.room(APP, "r")])
        answer.set_result(["r"])
    with pytest.raises(Unavailable):
        await adding
    assert hub.connections_of(APP, "ann") == []


async def test_a_gap_concerns_the_user_or_the_members_of_the_room_and_no_one_else(
    hub: Hub[str], slow: SlowStore, heard: CountedNotices
) -> None:
    """They receive nothing more. Their next connection reads the rooms again."""
    await add(hub, slow, "ann", "phone", "r", "s")
    await add(hub, slow, "bob", "tablet", "r")
    await add(hub, slow, "cid", "watch", "s")
    assert hub.remove_concerned([Topic.user(APP, "bob"), Topic.user(APP, "eve"), Topic.room("b", "s")]) == ["tablet"]
    assert hub.remove_concerned([Topic.room(APP, "r")]) == ["phone"]
    assert (subscribers(hub, "r"), subscribers(hub, "s")) == ([], ["watch"])
    assert heard.counts == {Topic.user(APP, "cid"): 1, Topic.room(APP, "s"): 1}
    await add(hub, slow, "ann", "laptop", "s")
    assert subscribers(hub, "s") == ["laptop", "watch"]


async def test_the_notices_of_the_user_and_of_each_room_are_listened_to_while_needed(
    hub: Hub[str], slow: SlowStore, heard: CountedNotices
) -> None:
    """One subscription of the worker for each of its users, ended with the last connection."""
    await add(hub, slow, "ann", "phone", "r", "s")
    await hub.add(APP, "ann", "laptop")
    await add(hub, slow, "bob", "tablet", "r")
    users = {Topic.user(APP, user): 1 for user in ("ann", "bob")}
    assert heard.counts == {**users, Topic.room(APP, "r"): 2, Topic.room(APP, "s"): 1}
    hub.on_left(APP, "s", ["ann"])
    hub.on_joined(APP, "r", ["ann"])
    hub.remove(APP, "ann", "phone")
    assert heard.counts == {**users, Topic.room(APP, "r"): 2}
    hub.remove(APP, "ann", "laptop")
    hub.on_room_deleted(APP, "r")
    hub.remove(APP, "bob", "tablet")
    assert not heard.counts


async def test_a_room_that_the_store_names_twice_is_left_once(
    hub: Hub[str], slow: SlowStore, heard: CountedNotices
) -> None:
    await add(hub, slow, "ann", "phone", "r", "r", "s")
    assert subscribers(hub, "r") == ["phone"]
    hub.remove(APP, "ann", "phone")
    assert not heard.counts


async def test_what_a_user_is_told_is_passed_on(hub: Hub[str], slow: SlowStore) -> None:
    """While the user is loaded it is kept, and passed on where the store says something else."""
    unsettled: list[tuple[str, str, str, bool]] = []
    hub.on_unsettled = lambda *what: unsettled.append(what)
    adding = asyncio.create_task(hub.add(APP, "ann", "phone"))
    answer = await slow.asked.get()
    hub.on_membership(APP, "ann", "left", is_member=False)
    hub.on_membership(APP, "ann", "joined", is_member=True)
    hub.on_membership(APP, "ann", "r", is_member=True)
    answer.set_result(["r", "left"])
    await adding
    assert (subscribers(hub, "r"), subscribers(hub, "left")) == (["phone"], [])
    assert unsettled == [(APP, "ann", "joined", True)]
    hub.on_membership(APP, "ann", "r", is_member=True)
    hub.on_membership(APP, "bob", "r", is_member=True)
    hub.on_membership(APP, "ann", "r", is_member=False)
    assert unsettled[1:] == [(APP, "ann", "r", True), (APP, "ann", "r", False)]


async def test_who_comes_into_a_room_is_told_of(hub: Hub[str], slow: SlowStore) -> None:
    entered: list[tuple[str, str]] = []
    hub.on_entered = lambda *who: entered.append(who)
    await add(hub, slow, "ann", "phone", "r")
    hub.on_joined(APP, "r", ["ann"])
    assert entered == []
    hub.on_left(APP, "r", ["ann"])
    hub.on_joined(APP, "r", ["ann", "bob"])
    assert entered == [(APP, "ann")]


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
    assert (hub._users, dict(hub._rooms)) == ({}, {})
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
    assert (hub._users, dict(hub._rooms)) == ({}, {})


class History:
    """The joins and leaves of one user, as a cluster brings them.

    The store knows all. The notices of each room, and those of the user, come one after the other,
    but not in step; only what is listened to is brought. What is unsettled is asked of the room.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rooms: set[str] = set()
        self.on_their_way: dict[Topic, list[tuple[str, str, bool]]] = {}  # (kind, room, flag)
        self.notices = CountedNotices(self.random.randrange(3))
        self.hub: Hub[str] = Hub(self.rooms_of, self.notices)
        self.hub.on_unsettled = self.settle
        self.settling: set[asyncio.Task[None]] = set()

    def happen(self) -> None:
        room = self.random.choice("rst")
        joined = room not in self.rooms
        (self.rooms.add if joined else self.rooms.discard)(room)
        self.publish(Topic.room(APP, room), ("room", room, joined))
        self.publish(Topic.user(APP, "ann"), ("user", room, joined))

    def publish(self, topic: Topic, notice: tuple[str, str, bool]) -> None:
        if topic in self.notices.known:
            self.on_their_way.setdefault(topic, []).append(notice)

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        seen = sorted(self.rooms)
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0)
        return seen

    def settle(self, app: str, user: str, room: str, is_member: bool) -> None:
        async def ask() -> None:
            topic = Topic.room(app, room)
            await self.notices.subscribe([topic])
            self.publish(topic, ("barrier", room, room in self.rooms))
            while any(kind == "barrier" for kind, _, _ in self.on_their_way.get(topic, [])):  # noqa: ASYNC110
                await asyncio.sleep(0)
            self.notices.unsubscribe([topic])

        task = asyncio.create_task(ask())
        self.settling.add(task)
        task.add_done_callback(self.settling.discard)

    def receive(self) -> None:
        """The next notice of a topic."""
        topics = [topic for topic, coming in self.on_their_way.items() if coming]
        if not topics:
            return
        topic = self.random.choice(topics)
        kind, room, flag = self.on_their_way[topic].pop(0)
        if kind == "user":
            self.hub.on_membership(APP, "ann", room, is_member=flag)
        else:
            (self.hub.on_joined if flag else self.hub.on_left)(APP, room, ["ann"])

    def lose(self) -> None:
        """The notices of a topic that have not arrived yet are lost.

        When a barrier is among them, what was to be settled by it concerns the user.
        """
        ann = Topic.user(APP, "ann")
        topic = self.random.choice([ann, *(Topic.room(APP, room) for room in "rst")])
        lost = self.on_their_way.pop(topic, [])
        self.hub.remove_concerned([topic, ann] if any(kind == "barrier" for kind, _, _ in lost) else [topic])


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
                history.receive()
            case 5:
                tasks.append(asyncio.create_task(history.hub.add(APP, "ann", f"connection-{step}")))
            case 6:
                for connection in history.hub.connections_of(APP, "ann")[:1]:
                    history.hub.remove(APP, "ann", connection)
            case 7 if seed % 2:
                history.lose()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    await history.hub.add(APP, "ann", "last")
    while history.settling or any(history.on_their_way.values()):
        history.receive()
        await asyncio.sleep(0)
    for room in "rst":
        assert ("last" in subscribers(history.hub, room)) == (room in history.rooms)
    for connection in history.hub.connections_of(APP, "ann"):
        history.hub.remove(APP, "ann", connection)
    assert not history.notices.counts
