"""A room is closed unless it is opened."""

from functools import partial
from typing import Any

import msgspec
import pytest

from readstate.settings import Settings
from tests.security.rooms.answers import HASHED, NO_MANAGER, NO_ROOM, OF_TWO, code_of, members_of, refused
from tests.support import tencent_callbacks as told
from tests.support.imkit import Imkit, result
from tests.support.tencent_callbacks import Tencent

OPENINGS = [1, True, "1", "true", "TRUE", " True "]


NO_OPENINGS = [0, False, "0", "false", None, "", 2, "yes", [1], {"a": 1}]


@pytest.mark.parametrize("opening", OPENINGS)
async def test_a_room_that_is_opened_takes_everybody_in(world: Imkit, opening: Any) -> None:
    """By its id, with every way to say so."""
    await world.room("open", "ann", opening=opening)
    result(await world.as_user("eve", "POST", "/rooms/open/join"))
    result(await world.as_user("cid", "POST", "/rooms/createAndJoin", {"_id": "open"}))
    assert await members_of(world, "open") == {"ann", "cid", "eve"}


@pytest.mark.parametrize("opening", NO_OPENINGS)
async def test_nobody_joins_a_room_that_is_not_opened(world: Imkit, opening: Any) -> None:
    await world.room("closed", "ann", opening=opening)
    for path, body in (
        ("/rooms/closed/join", None),
        ("/rooms/r/join", None),
        ("/rooms/createAndJoin", {"_id": "closed"}),
    ):
        assert (await refused(world, "eve", "POST", path, body)).content == NO_ROOM


async def test_members_bring_nobody_into_a_room_that_is_not_opened(world: Imkit) -> None:
    for asked in (False, True):
        body = {"invitees": ["eve"], "invitationRequired": asked}
        assert (await refused(world, "cid", "POST", "/rooms/r/members", body)).content == NO_MANAGER
    result(await world.as_user("ben", "POST", "/rooms/r/members", {"invitees": ["eve"]}))
    assert "eve" in await members_of(world)


PRIVATE: list[tuple[str, dict[str, Any]]] = [
    ("dm", {"roomType": "direct"}),
    ("dm", {"roomType": " Direct"}),
    ("dm", {"roomTags": ["direct"]}),
    ("dm", {"t": "d"}),
    ("dm", {"t": "p"}),
    ("dm", {"t": "P"}),
    (OF_TWO, {}),
    (HASHED, {}),
    ("direct:x", {}),
    ("tencent\u00b7topics:x", {}),
]


class TestOpenRooms:
    """READSTATE_ROOMS_OPEN: a room is open unless it says otherwise."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, rooms_open=True)

    async def test_every_user_joins_a_room_that_says_nothing(self, world: Imkit) -> None:
        joined = result(await world.as_user("eve", "POST", "/rooms/r/join"))
        assert "eve" in {member["_id"] for member in joined["members"]}
        brought = result(await world.as_user("eve", "POST", "/rooms/r/members", {"invitees": ["cid"]}))
        assert "cid" in {member["_id"] for member in brought["members"]}

    @pytest.mark.parametrize("opening", [0, False, "0", "false", "FALSE"])
    async def test_nobody_joins_a_room_that_says_that_it_is_closed(self, world: Imkit, opening: Any) -> None:
        await world.room("closed", "ann", opening=opening)
        assert (await refused(world, "eve", "POST", "/rooms/closed/join")).content == NO_ROOM

    async def test_nobody_joins_a_group_of_tencents_that_says_nothing(self, world: Imkit) -> None:
        await Tencent(world).tell(told.group_created("g", "ann", kind="Public"))
        assert (await refused(world, "eve", "POST", "/rooms/g/join")).content == NO_ROOM

    @pytest.mark.parametrize(("room", "fields"), PRIVATE)
    async def test_nobody_joins_a_private_room_whatever_it_says(
        self, world: Imkit, room: str, fields: dict[str, Any]
    ) -> None:
        await world.as_backend("POST", "/rooms", {"_id": room, "members": ["ann", "ben"], "opening": 1, **fields})
        for path, body in ((f"/rooms/{room}/join", None), ("/rooms/createAndJoin", {"_id": room})):
            assert (await refused(world, "eve", "POST", path, body)).content == NO_ROOM


@pytest.mark.parametrize(("room", "fields"), PRIVATE)
async def test_nobody_joins_a_private_room(world: Imkit, room: str, fields: dict[str, Any]) -> None:
    await world.as_backend("POST", "/rooms", {"_id": room, "members": ["ann", "ben"], "opening": 1, **fields})
    assert (await refused(world, "eve", "POST", f"/rooms/{room}/join")).content == NO_ROOM


@pytest.mark.parametrize(
    "room", [OF_TWO, HASHED, "direct:", "direct:x", "direct:3:eve", "direct:03:eve:fay", "tencent\u00b7x"]
)
async def test_nobody_makes_a_room_under_an_id_that_is_not_theirs(world: Imkit, room: str) -> None:
    """The id can be computed. A stranger who made the room first would be in it."""
    assert (await refused(world, "eve", "POST", "/rooms/createAndJoin", {"_id": room})).content == NO_ROOM


@pytest.mark.parametrize(
    "room",
    [
        "direct:" + "9" * 5000 + ":a:b",
        "direct:" + "9" * 119,
        "direct:" + "\u0663" * 10 + ":a:b",
        "direct:-1:a:b",
        "direct:1e3:a:b",
        "\u0001",
        "x" * 129,
    ],
)
async def test_no_id_is_too_strange_for_an_answer(world: Imkit, room: str) -> None:
    """No id is read as a number before its length is checked."""
    for user in ("eve", ""):
        call = partial(world.as_user, "eve") if user else partial(world.as_backend, user="eve")
        before = await world.everything()
        answer = await call("POST", "/rooms/createAndJoin", {"_id": room})
        if len(room.encode()) > 128 or room == "\u0001":
            assert code_of(answer) == (400, "INVALID_BODY")
            assert await world.everything() == before
        else:
            assert answer.status_code == (404 if user else 200)
