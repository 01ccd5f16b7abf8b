"""From notices to sockets: the order inside a room, one look at a changed room, and what happens when the store does not keep up."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from readstate.dialects.imkit.sockets import delivery as delivery_module
from readstate.dialects.imkit.sockets.audience import Audience
from readstate.dialects.imkit.sockets.delivery import Delivery
from readstate.dialects.imkit.sockets.encoding import Encoding
from readstate.dialects.imkit.sockets.packets import Outgoing
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
)
from readstate.errors import RoomUnknown, Unavailable

APP = "demo"


class Socket:
    """Remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, outgoing: Outgoing) -> None:
        event, payload = json.loads(outgoing.packet(Encoding.RAW).text[2:])
        self.sent.append(
            f"{event} {payload.get('messageID') or payload.get('_id')}{' ' + payload['left'] if 'left' in payload else ''}"
        )


class Views:
    """The store's side: answers when told to."""

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
        self.views = Views()
        self.audience: Audience[Socket] = Audience(self._rooms_of)
        self.ann, self.bob = Socket(), Socket()
        self.delivery = Delivery(
            self.audience,  # type: ignore[arg-type]
            message_view=self.views.message,
            room_view=self.views.room,
            left_views=self.views.left,
            revoked=self.views.note_revoked,
        )

    @staticmethod
    async def _rooms_of(app: str, user: str) -> Sequence[str]:
        return {"ann": ["r"], "bob": ["r", "s"]}[user]

    async def open(self) -> "Scene":
        await self.audience.admit(APP, "ann", self.ann)
        await self.audience.admit(APP, "bob", self.bob)
        return self

    def tell(self, *notices: Notice) -> None:
        for notice in notices:
            self.delivery.deliver(APP, notice)

    async def settle(self) -> None:
        while self.delivery._tasks:
            await asyncio.wait(self.delivery._tasks)


@pytest.fixture
async def scene() -> Scene:
    return await Scene().open()


def posted(message: str, room: str = "r") -> MessagePosted:
    return MessagePosted(room, message, "ann", 1, 1, "new", "{}")


def read(message: str, room: str = "r") -> CursorMoved:
    return CursorMoved(room, "ann", message, 1)


async def test_what_needs_no_fetching_is_passed_on_at_once(scene: Scene) -> None:
    scene.tell(read("m1"), MessageDeleted("r", "m1"))
    assert scene.ann.sent == ["lastRead m1", "messageDeleted m1"]


async def test_a_room_keeps_its_order_while_something_is_fetched_and_others_do_not_wait(scene: Scene) -> None:
    scene.views.open.clear()
    scene.tell(posted("m1"), read("m1"), RoomChanged("r"), read("m2"), read("s1", "s"))
    await asyncio.sleep(0)
    assert (scene.ann.sent, scene.bob.sent) == ([], ["lastRead s1"])
    scene.views.open.set()
    await scene.settle()
    assert scene.ann.sent == ["chat message m1", "lastRead m1", "room r", "lastRead m2"]


async def test_several_changes_of_a_room_are_one_look_at_it(scene: Scene) -> None:
    scene.views.open.clear()
    scene.tell(posted("m1"), RoomChanged("r"), read("m1"), RoomChanged("r"), read("m2"), RoomChanged("r"))
    scene.views.open.set()
    await scene.settle()
    assert scene.ann.sent == ["chat message m1", "lastRead m1", "lastRead m2", "room r"]
    assert scene.views.asked == ["m1", "r"]


async def test_coming_and_going_keep_their_place_behind_a_fetch(scene: Scene) -> None:
    """Bob hears what came before he left, and that he has; ann also what comes after she is back."""
    scene.views.open.clear()
    scene.tell(posted("m1"), Left("r", ["bob", "ann"]), posted("m2"), Joined("r", ["ann"]), posted("m3"))
    scene.views.open.set()
    await scene.settle()
    assert scene.bob.sent == ["chat message m1", "room r bob"]
    assert scene.ann.sent == ["chat message m1", "room r ann", "chat message m3"]


async def test_who_is_out_of_a_room_hears_so_on_all_sockets_and_the_others_do_not(scene: Scene) -> None:
    """Nothing is asked for those who have no socket here."""
    tablet = Socket()
    await scene.audience.admit(APP, "bob", tablet)
    scene.tell(Left("r", ["bob", "eve"]), Left("s", ["eve"]), read("m1"), read("s1", "s"))
    await scene.settle()
    assert scene.bob.sent == tablet.sent == ["lastRead s1", "room r bob"]
    assert scene.ann.sent == ["lastRead m1"]
    assert scene.views.asked == ["r without bob"]


async def test_a_deleted_room_is_told_once_and_hears_nothing_more(scene: Scene) -> None:
    scene.tell(RoomDeleted("r"), read("m1"), posted("m1"), RoomDeleted("r"))
    await scene.settle()
    assert (scene.ann.sent, scene.bob.sent) == (["room r ann deleted"], ["room r bob deleted"])


async def test_nothing_is_fetched_for_a_room_that_nobody_here_hears(scene: Scene) -> None:
    scene.tell(posted("x1", "elsewhere"), RoomChanged("elsewhere"))
    await scene.settle()
    assert scene.views.asked == []


@pytest.mark.parametrize("error", [Unavailable("down"), RoomUnknown("r"), ZeroDivisionError()])
async def test_what_cannot_be_fetched_holds_nothing_up(scene: Scene, error: Exception) -> None:
    scene.views.error = error
    scene.tell(RoomChanged("r"), read("m1"))
    await scene.settle()
    assert scene.ann.sent == ["lastRead m1"]
    scene.views.error = None
    scene.tell(RoomChanged("r"))
    await scene.settle()
    assert scene.ann.sent == ["lastRead m1", "room r"]


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second takes a tenth of one."""
    monkeypatch.setattr(delivery_module, "ROOM_EVERY_S", 0.1)


async def test_changes_within_a_second_are_told_together_at_its_end(hurry: None) -> None:
    """The first at once; what else happens in the room does not wait for them, nor does another room."""
    scene = await Scene().open()
    for number in range(5):
        scene.tell(RoomChanged("r"), read(f"m{number}"))
        await scene.settle()
    scene.tell(RoomChanged("s"))
    await scene.settle()
    assert scene.bob.sent == ["room r", *(f"lastRead m{number}" for number in range(5)), "room s"]
    scene.bob.sent.clear()
    await asyncio.sleep(0.15)
    await scene.settle()
    assert scene.bob.sent == ["room r"]
    assert scene.views.asked == ["r", "s", "r"]


async def test_a_room_that_changes_all_the_time_is_told_at_an_even_pace(hurry: None) -> None:
    scene = await Scene().open()
    for _ in range(100):
        scene.tell(RoomChanged("r"))
        await asyncio.sleep(0.005)
    assert 4 <= scene.ann.sent.count("room r") <= 8


async def test_what_is_held_back_is_told_to_those_who_hear_the_room_then(hurry: None) -> None:
    scene = await Scene().open()
    scene.tell(RoomChanged("r"))
    await scene.settle()
    scene.tell(Left("r", ["bob"]), RoomChanged("r"))
    await asyncio.sleep(0.15)
    await scene.settle()
    assert (scene.ann.sent, scene.bob.sent) == (["room r", "room r"], ["room r", "room r bob"])


async def test_a_second_without_changes_leaves_no_timer_and_no_memory(hurry: None) -> None:
    scene = await Scene().open()
    scene.tell(RoomChanged("r"), RoomChanged("s"), RoomChanged("r"))
    await scene.settle()
    pace = scene.delivery._pace
    assert (len(pace._told), pace._told._timer is None) == (2, False)
    await asyncio.sleep(0.3)
    assert (len(pace._told), len(pace._held), pace._told._timer) == (0, 0, None)


async def test_what_is_held_back_when_the_service_stops_is_dropped(hurry: None) -> None:
    scene = await Scene().open()
    scene.tell(RoomChanged("r"))
    await scene.settle()
    scene.tell(RoomChanged("r"))
    await scene.delivery.stop()
    await asyncio.sleep(0.15)
    assert scene.ann.sent == ["room r"]


async def test_too_much_waiting_behind_a_fetch_gives_the_fetch_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory stays bounded, and only what was being fetched is lost."""
    monkeypatch.setattr(delivery_module, "MAX_WAITING", 10)
    scene.views.open.clear()
    scene.tell(RoomChanged("r"))
    await asyncio.sleep(0)
    scene.tell(*(read(f"m{number}") for number in range(11)))
    await scene.settle()
    assert scene.ann.sent == [f"lastRead m{number}" for number in range(11)]


async def test_a_revocation_is_passed_to_whoever_closes_connections(scene: Scene) -> None:
    scene.tell(TokensRevoked("ann", "t1", 5))
    assert scene.views.revoked == ["t1"]


async def test_stopping_drops_what_waits(scene: Scene) -> None:
    scene.views.open.clear()
    scene.tell(posted("m1"), read("m1"))
    await asyncio.sleep(0)
    await scene.delivery.stop()
    assert scene.ann.sent == []
    assert not scene.delivery._fetching
