"""From notices to connections: the order within a room, few fetches, and a slow store."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from readstate.dialects.imkit.sockets import delivery as delivery_module
from readstate.dialects.imkit.sockets.delivery import Delivery
from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.dialects.imkit.sockets.packets import ServerEvent
from readstate.domain.notices import (
    CursorMoved,
    Joined,
    Left,
    MessageDeleted,
    MessagePosted,
    Notice,
    RoomChanged,
    RoomDeleted,
    TokensRevoked,
    Topic,
)
from readstate.errors import RoomUnknown, Unavailable
from tests.support.counted_notices import CountedNotices

APP = "demo"
OF_R = Topic.room(APP, "r")  # of which topic a notice of a room came is not looked at


class FakeConnection:
    """Remembers what it was sent."""

    watched = None

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send_event(self, event: ServerEvent) -> None:
        name, payload = json.loads(event.packet(Encoding.RAW).text[2:])
        left = f" {payload['left']}" if "left" in payload else ""
        self.sent.append(f"{name} {payload.get('messageID') or payload.get('_id')}{left}")


class FakePayloads:
    """The store's side: answers when it may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.revoked: list[str] = []

    async def message(self, app: str, posted: MessagePosted) -> bytes:
        return await self._answer(posted.message)

    async def room(self, app: str, room: str) -> bytes:
        return await self._answer(room)

    async def left(self, app: str, room: str, users: Sequence[str], deleted: bool) -> dict[str, bytes]:
        await self._answer(f"{room} without {' '.join(sorted(users))}")
        return {user: json.dumps({"_id": room, "left": f"{user}{' deleted' * deleted}"}).encode() for user in users}

    async def _answer(self, name: str) -> bytes:
        self.asked.append(name)
        await self.open.wait()
        if self.error:
            raise self.error
        return json.dumps({"_id": name}).encode()

    def note_revoked(self, app: str, revoked: TokensRevoked) -> None:
        self.revoked.append(revoked.token_id)


class Scene:
    """Ann is in room r, bob is in r and s."""

    def __init__(self) -> None:
        self.payloads = FakePayloads()
        self.hub: Hub[FakeConnection] = Hub(self._rooms_of, CountedNotices())
        self.ann, self.bob = FakeConnection(), FakeConnection()
        self.delivery = Delivery(
            self.hub,  # type: ignore[arg-type]
            self.payloads,
            on_revoked=self.payloads.note_revoked,
        )

    @staticmethod
    async def _rooms_of(*, app: str, user: str) -> Sequence[str]:
        return {"ann": ["r"], "bob": ["r", "s"]}[user]

    async def open(self) -> "Scene":
        await self.hub.add(APP, "ann", self.ann)
        await self.hub.add(APP, "bob", self.bob)
        return self

    def deliver(self, *notices: Notice) -> None:
        for notice in notices:
            self.delivery.deliver(OF_R, notice)

    async def drain(self) -> None:
        while self.delivery._tasks:
            await asyncio.wait(self.delivery._tasks)


@pytest.fixture
async def scene() -> Scene:
    return await Scene().open()


def posted(message: str, room: str = "r") -> MessagePosted:
    return MessagePosted(room, message, "ann", 1, 1, "new", "{}")


def read(message: str, room: str = "r") -> CursorMoved:
    return CursorMoved(room, "ann", message, 1)


async def test_what_needs_no_fetch_is_sent_at_once(scene: Scene) -> None:
    scene.deliver(read("m1"), MessageDeleted("r", "m1"))
    assert scene.ann.sent == ["lastRead m1", "messageDeleted m1"]


async def test_a_room_keeps_its_order_while_something_is_fetched_and_others_do_not_wait(scene: Scene) -> None:
    scene.payloads.open.clear()
    scene.deliver(posted("m1"), read("m1"), RoomChanged("r"), read("m2"), read("s1", "s"))
    await asyncio.sleep(0)
    assert (scene.ann.sent, scene.bob.sent) == ([], ["lastRead s1"])
    scene.payloads.open.set()
    await scene.drain()
    assert scene.ann.sent == ["chat message m1", "lastRead m1", "room r", "lastRead m2"]


async def test_several_changes_of_a_room_need_one_fetch(scene: Scene) -> None:
    scene.payloads.open.clear()
    scene.deliver(posted("m1"), RoomChanged("r"), read("m1"), RoomChanged("r"), read("m2"), RoomChanged("r"))
    scene.payloads.open.set()
    await scene.drain()
    assert scene.ann.sent == ["chat message m1", "lastRead m1", "lastRead m2", "room r"]
    assert scene.payloads.asked == ["m1", "r"]


async def test_joins_and_leaves_keep_their_place_behind_a_fetch(scene: Scene) -> None:
    """Bob receives what came before he left, and that he left; ann also what comes later."""
    scene.payloads.open.clear()
    scene.deliver(posted("m1"), Left("r", ["bob", "ann"]), posted("m2"), Joined("r", ["ann"]), posted("m3"))
    scene.payloads.open.set()
    await scene.drain()
    assert scene.bob.sent == ["chat message m1", "room r bob"]
    assert scene.ann.sent == ["chat message m1", "room r ann", "chat message m3"]


async def test_a_user_who_is_out_of_a_room_is_told_on_all_connections_and_others_are_not(scene: Scene) -> None:
    """Nothing is fetched for users without a connection here."""
    tablet = FakeConnection()
    await scene.hub.add(APP, "bob", tablet)
    scene.deliver(Left("r", ["bob", "eve"]), Left("s", ["eve"]), read("m1"), read("s1", "s"))
    await scene.drain()
    assert scene.bob.sent == tablet.sent == ["lastRead s1", "room r bob"]
    assert scene.ann.sent == ["lastRead m1"]
    assert scene.payloads.asked == ["r without bob"]


async def test_the_deletion_of_a_room_is_sent_once_and_nothing_after_it(scene: Scene) -> None:
    scene.deliver(RoomDeleted("r"), read("m1"), posted("m1"), RoomDeleted("r"))
    await scene.drain()
    assert (scene.ann.sent, scene.bob.sent) == (["room r ann deleted"], ["room r bob deleted"])


async def test_nothing_is_fetched_for_a_room_without_subscribers(scene: Scene) -> None:
    scene.deliver(posted("x1", "elsewhere"), RoomChanged("elsewhere"))
    await scene.drain()
    assert scene.payloads.asked == []


@pytest.mark.parametrize("error", [Unavailable("down"), RoomUnknown("r"), ZeroDivisionError()])
async def test_a_failed_fetch_delays_nothing_else(scene: Scene, error: Exception) -> None:
    scene.payloads.error = error
    scene.deliver(RoomChanged("r"), read("m1"))
    await scene.drain()
    assert scene.ann.sent == ["lastRead m1"]
    scene.payloads.error = None
    scene.deliver(RoomChanged("r"))
    await scene.drain()
    assert scene.ann.sent == ["lastRead m1", "room r"]


async def test_a_notice_that_fails_takes_none_with_it_that_waits_behind_it(scene: Scene) -> None:
    def fail(app: str, user: str) -> None:
        raise ZeroDivisionError

    scene.hub.on_entered = fail
    scene.deliver(posted("m1"), Left("r", ["bob"]), Joined("r", ["bob"]), posted("m2"))
    await scene.drain()
    assert scene.ann.sent == ["chat message m1", "chat message m2"]


@pytest.fixture
def short_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second takes a tenth of one."""
    monkeypatch.setattr(delivery_module, "ROOM_EVERY_S", 0.1)


async def test_changes_within_a_second_are_sent_together_at_its_end(short_second: None) -> None:
    """The first is sent at once. Other events of the room do not wait, nor do other rooms."""
    scene = await Scene().open()
    for number in range(5):
        scene.deliver(RoomChanged("r"), read(f"m{number}"))
        await scene.drain()
    scene.deliver(RoomChanged("s"))
    await scene.drain()
    assert scene.bob.sent == ["room r", *(f"lastRead m{number}" for number in range(5)), "room s"]
    scene.bob.sent.clear()
    await asyncio.sleep(0.15)
    await scene.drain()
    assert scene.bob.sent == ["room r"]
    assert scene.payloads.asked == ["r", "s", "r"]


async def test_a_room_that_changes_all_the_time_is_sent_at_an_even_rate(short_second: None) -> None:
    scene = await Scene().open()
    for _ in range(100):
        scene.deliver(RoomChanged("r"))
        await asyncio.sleep(0.005)
    assert 4 <= scene.ann.sent.count("room r") <= 8


async def test_a_deferred_event_goes_to_the_subscribers_of_that_moment(short_second: None) -> None:
    scene = await Scene().open()
    scene.deliver(RoomChanged("r"))
    await scene.drain()
    scene.deliver(Left("r", ["bob"]), RoomChanged("r"))
    await asyncio.sleep(0.15)
    await scene.drain()
    assert (scene.ann.sent, scene.bob.sent) == (["room r", "room r"], ["room r", "room r bob"])


async def test_a_second_without_changes_leaves_no_timer_and_no_memory(short_second: None) -> None:
    scene = await Scene().open()
    scene.deliver(RoomChanged("r"), RoomChanged("s"), RoomChanged("r"))
    await scene.drain()
    throttle = scene.delivery._throttle
    assert (len(throttle._recent), throttle._recent._timer is None) == (2, False)
    await asyncio.sleep(0.3)
    assert (len(throttle._recent), len(throttle._deferred), throttle._recent._timer) == (0, 0, None)


async def test_a_deferred_event_is_dropped_when_the_service_stops(short_second: None) -> None:
    scene = await Scene().open()
    scene.deliver(RoomChanged("r"))
    await scene.drain()
    scene.deliver(RoomChanged("r"))
    await scene.delivery.stop()
    await asyncio.sleep(0.15)
    assert scene.ann.sent == ["room r"]


async def test_too_many_notices_behind_a_fetch_cancel_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded, and only what was being fetched is lost."""
    monkeypatch.setattr(delivery_module, "MAX_QUEUED", 10)
    scene.payloads.open.clear()
    scene.deliver(RoomChanged("r"))
    await asyncio.sleep(0)
    scene.deliver(*(read(f"m{number}") for number in range(11)))
    await scene.drain()
    assert scene.ann.sent == [f"lastRead m{number}" for number in range(11)]


async def test_a_revocation_is_passed_on(scene: Scene) -> None:
    scene.deliver(TokensRevoked("ann", "t1", 5))
    assert scene.payloads.revoked == ["t1"]


async def test_stopping_drops_what_is_queued(scene: Scene) -> None:
    scene.payloads.open.clear()
    scene.deliver(posted("m1"), read("m1"))
    await asyncio.sleep(0)
    await scene.delivery.stop()
    assert scene.ann.sent == []
    assert not scene.delivery._queues
