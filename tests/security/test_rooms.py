"""A room is for those it was made for: who comes in, whose word counts, what strangers are told."""

import asyncio
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest

from readstate.dialects.imkit.announcing import SYSTEM_TYPES
from readstate.dialects.imkit.call import Principal
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from readstate.domain.direct import direct_room
from readstate.domain.read_state import ReadState
from readstate.domain.types import Made
from readstate.settings import Settings
from tests.support import tencent_callbacks as told
from tests.support.imkit import Imkit, refusal, result
from tests.support.rocketchat import Rocketchat
from tests.support.tencent_callbacks import Tencent, with_callbacks

NO_ROOM = refusal(404, "Room not found", "ROOM_NOT_FOUND", "Room not found")
NOT_FOUND = refusal(
    404, "Not Found", "ROOM_NOT_FOUND", "Room or message not found: there is no such room, or you are not in it"
)
NO_MESSAGE = refusal(404, "Not Found", "MESSAGE_NOT_FOUND", "Message not found")
STRANGER = refusal(403, "Forbidden", "NOT_ROOM_MEMBER", "You are not a member of this room")
NO_MANAGER = refusal(403, "Forbidden", "INSUFFICIENT_PERMISSIONS", "Only the owner or a manager may do this")
NO_DELETER = refusal(403, "Permission denied", "INSUFFICIENT_PERMISSION", "Only the owner or a manager may do this")

OF_TWO = direct_room("ann", "ben")
HASHED = direct_room("a" * 100, "b" * 100)
DIRECT_ONLY = "a direct room is for two: name exactly one other person"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A service that takes Tencent's callbacks, too."""
    return with_callbacks(settings)


@pytest.fixture
async def world(imkit: Imkit) -> Imkit:
    """Users ann, ben, cid, eve; ann owns room r, ben manages it, cid is in it; eve is in no room."""
    for user in ("ann", "ben", "cid", "eve"):
        await imkit.sign_in(user)
    await imkit.room("r", "ann", "ben", "cid", owner="ann", managers=["ben"])
    await imkit.post("r", "ann", "m1")
    return imkit


async def members_of(imkit: Imkit, room: str = "r") -> set[str]:
    return {member["_id"] for member in result(await imkit.as_backend("GET", at(room)))["members"]}


def at(room: str, call: str = "") -> str:
    """The path of a room, or of a call about it."""
    return f"/rooms/{quote(room, safe='')}{call}"


async def refused(imkit: Imkit, user: str, method: str, path: str, body: Any = None) -> httpx.Response:
    """The answer to a call that changes nothing."""
    before = await imkit.everything()
    answer = await imkit.as_user(user, method, path, body)
    assert answer.status_code in (400, 403, 404), answer.text
    assert await imkit.everything() == before
    return answer


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# Closed unless opened

OPENINGS = [1, True, "1", "true", "TRUE", " True "]
NO_OPENINGS = [0, False, "0", "false", None, "", 2, "yes", [1], {"a": 1}]


@pytest.mark.parametrize("opening", OPENINGS)
async def test_a_room_that_is_opened_takes_everybody_in(world: Imkit, opening: Any) -> None:
    """By its id, in any spelling that the dialects use."""
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
    """It could be worked out, and who made it first would be there when the others come."""
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
    """And none is read as a number before it is measured."""
    for user in ("eve", ""):
        call = partial(world.as_user, "eve") if user else partial(world.as_backend, user="eve")
        before = await world.everything()
        answer = await call("POST", "/rooms/createAndJoin", {"_id": room})
        if len(room.encode()) > 128 or room == "\u0001":
            assert code_of(answer) == (400, "INVALID_BODY")
            assert await world.everything() == before
        else:
            assert answer.status_code == (404 if user else 200)


# Invitations


async def test_nobody_is_a_member_by_an_invitation_alone(world: Imkit) -> None:
    """Who is invited joins a closed room by themselves, once; others do not."""
    result(await world.as_user("ann", "POST", "/rooms/r/members", {"invitees": ["eve"], "invitationRequired": True}))
    await world.post("r", "ann", "m2")
    assert await world.badge("eve") == 0
    assert (await world.as_user("eve", "GET", "/rooms/r")).content == STRANGER
    await world.sign_in("fay")
    assert (await refused(world, "fay", "POST", "/rooms/r/join")).content == NO_ROOM
    assert result(await world.as_user("eve", "POST", "/rooms/r/join"))["unread"] == 0
    result(await world.as_user("eve", "POST", "/rooms/r/delete/members", {"members": ["eve"]}))
    assert (await refused(world, "eve", "POST", "/rooms/r/join")).content == NO_ROOM


async def test_an_invitation_that_was_taken_back_lets_nobody_in(world: Imkit) -> None:
    result(await world.as_user("ann", "POST", "/rooms/r/members", {"invitees": ["eve"], "invitationRequired": True}))
    result(await world.as_user("ann", "POST", "/rooms/r/delete/members", {"members": ["eve"]}))
    assert (await refused(world, "eve", "POST", "/rooms/r/join")).content == NO_ROOM


async def test_who_is_invited_to_a_new_room_joins_it(world: Imkit) -> None:
    body = {"_id": "new", "invitee": ["eve", "ben"], "invitationRequired": True}
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", body))
    assert await members_of(world, "new") == {"ann"}
    result(await world.as_user("eve", "POST", "/rooms/createAndJoin", {"_id": "new"}))
    assert await members_of(world, "new") == {"ann", "eve"}


async def test_a_room_keeps_no_more_than_a_thousand_invitations(world: Imkit) -> None:
    for start in range(0, 1000, 500):
        names = [f"u{number}" for number in range(start, start + 500)]
        result(await world.as_backend("POST", "/rooms/r/members", {"invitees": names, "invitationRequired": True}))
    body = {"invitees": ["eve"], "invitationRequired": True}
    assert code_of(await world.as_user("ann", "POST", "/rooms/r/members", body)) == (400, "LIMIT_REACHED")
    assert (await world.as_user("eve", "POST", "/rooms/r/join")).content == NO_ROOM


class TestInvitedMustAccept:
    """READSTATE_INVITED_MUST_ACCEPT: clients make nobody a member."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, invited_must_accept=True)

    async def test_clients_make_nobody_a_member(self, world: Imkit) -> None:
        result(await world.as_user("ann", "POST", "/rooms/r/members", {"invitees": ["eve"]}))
        result(
            await world.as_user(
                "ann", "POST", "/rooms/createAndJoin", {"_id": "new", "members": ["eve"], "invitationRequired": False}
            )
        )
        assert "eve" not in await members_of(world) | await members_of(world, "new")
        for room in ("r", "new"):
            result(await world.as_user("eve", "POST", f"/rooms/{room}/join"))

    async def test_the_backend_brings_people_in(self, world: Imkit) -> None:
        result(await world.as_backend("POST", "/rooms/r/members", {"invitees": ["eve"]}))
        result(await world.as_backend("POST", "/rooms/createAndJoin", {"_id": "new", "invitee": "eve"}, user="ann"))
        assert "eve" in await members_of(world) & await members_of(world, "new")

    async def test_a_direct_room_has_its_two_members_at_once(self, world: Imkit) -> None:
        """There the original ignores invitations."""
        result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO, "invitee": "ben"}))
        assert await members_of(world, OF_TWO) == {"ann", "ben"}


# The backend's word counts


async def squatted(world: Imkit, room: str, *others: str, **fields: Any) -> None:
    body = {"_id": room, "invitee": others, "roomTags": ["trap"], "name": "Trap", "opening": 1, **fields}
    result(await world.as_user("eve", "POST", "/rooms/createAndJoin", body))


async def check_gone(world: Imkit, room: str) -> None:
    """Eve is out of the room, and has no power in it and no way back."""
    await world.post(room, "ann", "secret")
    assert await world.badge("eve") == 0
    assert (await world.as_user("eve", "GET", at(room))).content == STRANGER
    for method, path, body in (
        ("POST", at(room, "/join"), None),
        ("POST", "/rooms/createAndJoin", {"_id": room}),
        ("PUT", at(room), {"opening": 1}),
        ("DELETE", at(room), None),
    ):
        assert (await refused(world, "eve", method, path, body)).content == NO_ROOM


async def test_who_takes_an_id_first_does_not_keep_the_room_of_the_backend(world: Imkit) -> None:
    await squatted(world, "order-1001", "ben", "cid", managers=["cid"])
    await world.post("order-1001", "eve", "old")
    wanted = {"_id": "order-1001", "members": ["ann", "ben"], "owner": "ann", "roomTags": ["private"]}
    room = result(await world.as_backend("POST", "/rooms", wanted))
    assert room["created"] is False
    assert (room["owner"], room["roomTags"], set(room["members"])) == ("ann", ["private"], {"ann", "ben"})
    assert not {"name", "opening", "managers"} & set(room)
    assert (await world.badge("ann", "private"), await world.badge("ben", "private")) == (0, 1)
    assert await world.badge("ben", "trap") == 0
    await check_gone(world, "order-1001")
    result(await world.as_user("ann", "PUT", "/rooms/order-1001", {"name": "Order"}))


async def test_a_room_of_the_backend_is_not_taken_from_its_members(world: Imkit) -> None:
    """Only what a client made is taken over, and only once."""
    await squatted(world, "s")
    result(await world.as_backend("POST", "/rooms", {"_id": "s", "members": ["ann"], "owner": "ann"}))
    for _ in range(2):
        room = result(await world.as_backend("POST", "/rooms", {"_id": "s", "members": ["ben"], "owner": "ben"}))
        assert (room["created"], room["owner"], set(room["members"])) == (False, "ann", {"ann", "ben"})


async def test_a_backend_that_joins_in_a_user_s_name_takes_no_room_over(world: Imkit) -> None:
    """It passes on what a user asked, who must not get another's room by it."""
    await squatted(world, "s", "ben")
    room = result(await world.as_backend("POST", "/rooms/createAndJoin", {"_id": "s", "invitee": "cid"}, user="ann"))
    assert room["owner"] == "eve"
    assert await members_of(world, "s") == {"ann", "ben", "cid", "eve"}


async def test_a_call_that_was_allowed_in_the_room_of_a_client_is_not_in_that_of_the_backend(world: Imkit) -> None:
    """However many are under way while the backend takes the room over."""
    for attempt in range(5):
        room = f"race-{attempt}"
        await squatted(world, room)
        calls = []
        for number in range(12):
            calls.append(world.as_user("cid", "POST", f"/rooms/{room}/join"))
            calls.append(world.as_user("eve", "PUT", f"/rooms/{room}", {"opening": 1, "n": number}))
            if number == 5:
                calls.append(world.as_backend("POST", "/rooms", {"_id": room, "members": ["ann"], "owner": "ann"}))
        await asyncio.gather(*calls)
        shown = result(await world.as_backend("GET", f"/rooms/{room}"))
        assert {member["_id"] for member in shown["members"]} == {"ann"}
        assert "opening" not in shown


@pytest.mark.parametrize("asked", [False, True], ids=["members", "invited"])
async def test_a_room_that_is_taken_over_while_a_client_makes_it_is_closed_to_whom_they_bring(
    world: Imkit, monkeypatch: pytest.MonkeyPatch, asked: bool
) -> None:
    """Between the steps of that call; the answer tells nothing of the room of the backend."""
    create_room = ReadState.create_room

    async def taken_over(read_state: ReadState, **room: Any) -> tuple[str, bool]:
        made = await create_room(read_state, **room)
        if room.get("by_client"):
            await create_room(read_state, app=room["app"], room=made[0], members=["ann"])
        return made

    monkeypatch.setattr(ReadState, "create_room", taken_over)
    body = {"_id": "s", "invitee": ["cid"], "invitationRequired": asked}
    assert (await world.as_user("eve", "POST", "/rooms/createAndJoin", body)).content == NO_ROOM
    for user in ("cid", "eve"):
        assert (await world.as_user(user, "POST", "/rooms/s/join")).content == NO_ROOM
    assert await members_of(world, "s") == {"ann"}


async def test_who_takes_an_id_first_does_not_keep_the_group_of_tencents(world: Imkit) -> None:
    await squatted(world, "@TGS#sq", "cid")
    await Tencent(world).tell(told.group_created("@TGS#sq", "ann", "ben", kind="Private"))
    assert await members_of(world, "@TGS#sq") == {"ann", "ben"}
    await check_gone(world, "@TGS#sq")


@pytest.mark.parametrize(
    ("callback", "members"),
    [
        (told.group_sent("@TGS#sq", "ann", 1), {"ann"}),
        (told.group_sent("@TGS#sq", "eve", 1), {"eve"}),
        (told.group_sent("@TGS#sq", "administrator", 1), set()),
        (told.joined("@TGS#sq", "ann", "ben"), {"ann", "ben"}),
        (told.group_recalled("@TGS#sq", 1), set()),
    ],
)
async def test_a_group_that_is_heard_of_late_is_not_a_client_s(
    world: Imkit, callback: told.Callback, members: set[str]
) -> None:
    """By its first message, its next member: who else is in the room of a client is no member."""
    await squatted(world, "@TGS#sq", "ann", "cid")
    await Tencent(world).tell(callback)
    assert await members_of(world, "@TGS#sq") == members
    assert result(await world.as_backend("GET", at("@TGS#sq")))["roomTags"] == []


async def test_a_topic_takes_in_nobody_from_the_room_of_a_client(world: Imkit) -> None:
    community, topic = "@TGS#_c", "@TGS#_c@TOPIC#_t"
    await squatted(world, community, "cid")
    await squatted(world, topic)
    await Tencent(world).tell(told.topic_created(community, topic))
    assert await members_of(world, topic) == set()


async def test_a_conversation_of_tencents_is_of_the_two_who_talk(world: Imkit) -> None:
    """Also when one of them made its room before, with a name of their own."""
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO, "name": "Your Bank"}))
    await Tencent(world).tell(told.direct_sent("ann", "ben", 1))
    shown = result(await world.as_backend("GET", f"/rooms/{OF_TWO}"))
    assert {member["_id"] for member in shown["members"]} == {"ann", "ben"}
    assert (shown["roomTags"], "name" in shown, "owner" in shown) == (["direct"], False, False)
    assert await world.badge("ben", "direct") == 1


# Powers end with membership


POWERS: list[tuple[str, str, Any]] = [
    ("PUT", "/rooms/r", {"name": "x"}),
    ("PUT", "/rooms/r", {}),
    ("DELETE", "/rooms/r", None),
    ("DELETE", "/rooms/r/messages/m1", None),
    ("DELETE", "/rooms/r/messages/_all", None),
    ("POST", "/rooms/r/members", {"invitees": ["eve"]}),
    ("POST", "/rooms/r/delete/members", {"members": ["cid"]}),
    ("POST", "/rooms/r/join", None),
    ("GET", "/rooms/r/messages/m1/receipts", None),
]


@pytest.mark.parametrize("user", ["ann", "ben"])
@pytest.mark.parametrize(("method", "path", "body"), POWERS)
async def test_who_owned_or_managed_a_room_has_no_power_after_leaving(
    world: Imkit, user: str, method: str, path: str, body: Any
) -> None:
    result(await world.as_backend("POST", "/rooms/r/delete/members", {"members": [user]}))
    assert (await refused(world, user, method, path, body)).content == NO_ROOM


@pytest.mark.parametrize("user", ["ann", "ben"])
async def test_who_owned_a_room_changes_no_message_after_leaving(world: Imkit, user: str) -> None:
    result(await world.as_backend("POST", "/rooms/r/delete/members", {"members": [user]}))
    for body in ({"_id": "m1", "messageType": "recall"}, {"_id": "m1", "message": "x"}, {"message": "x"}):
        assert (await refused(world, user, "POST", "/rooms/r/message", body)).content == STRANGER


@pytest.mark.parametrize("opening", [0, 1])
async def test_only_those_who_manage_a_room_remove_others(world: Imkit, opening: int) -> None:
    """Whether it is open or not. Everybody may leave, and the backend removes whom it wants."""
    result(await world.as_backend("PUT", "/rooms/r", {"opening": opening}))
    for members in (["ann"], ["ann", "cid"], ["ben"], ["nobody"], []):
        body = {"members": members}
        assert (await refused(world, "cid", "POST", "/rooms/r/delete/members", body)).content == NO_MANAGER
    result(await world.as_user("cid", "POST", "/rooms/r/delete/members", {"members": ["cid"]}))
    result(await world.as_user("ann", "POST", "/rooms/r/delete/members", {"members": ["ben"]}))
    result(await world.as_backend("POST", "/rooms/r/delete/members", {"members": ["ann"]}))
    assert await members_of(world) == set()


async def test_members_learn_of_no_message_before_they_joined_by_trying_to_change_it(world: Imkit) -> None:
    """Those who manage the room may change it, whenever they came."""
    await world.room("r", "eve")
    await world.post("r", "ann", "m2")

    async def tried(user: str, message: str, kind: str) -> httpx.Response:
        return await world.as_user(
            user, "POST", at("r", "/message"), {"_id": message, "messageType": kind, "message": "mine"}
        )

    for kind in ("text", "recall"):
        assert (await tried("eve", "m1", kind)).content == (await tried("eve", "none", kind)).content == NO_MESSAGE
        assert (await tried("eve", "m2", kind)).content == NO_MANAGER
    result(await world.as_backend("PUT", "/rooms/r", {"managers": ["eve"]}))
    result(await tried("eve", "m1", "recall"))


async def test_members_see_no_receipts_of_messages_before_they_joined(world: Imkit) -> None:
    """They are as unknown as what never was, also after coming back."""
    result(await world.as_user("cid", "POST", "/rooms/r/delete/members", {"members": ["cid"]}))
    result(await world.as_backend("POST", "/rooms/r/members", {"invitees": ["cid", "eve"]}))
    await world.post("r", "ann", "m2")
    for user in ("cid", "eve"):
        for query in ("", "?filter=unread", "?limit=1"):
            hidden = await world.as_user(user, "GET", f"/rooms/r/messages/m1/receipts{query}")
            assert hidden.content == NO_MESSAGE
        assert result(await world.as_user(user, "GET", "/rooms/r/messages/m2/receipts"))["message"] == "m2"
        counts = result(await world.as_user(user, "GET", "/rooms/r/receipts?messages=m1,m2,none"))
        assert [one["message"] for one in counts["data"]] == ["m2"]
    for executor in (
        world.as_backend("GET", "/rooms/r/messages/m1/receipts"),
        world.as_user("ben", "GET", "/rooms/r/messages/m1/receipts"),
    ):
        assert result(await executor)["message"] == "m1"


async def test_members_see_no_old_receipts_in_the_words_of_rocketchat(world: Imkit, rocketchat: Rocketchat) -> None:
    result(await world.as_backend("POST", "/rooms/r/members", {"invitees": ["eve"]}))
    await world.post("r", "ann", "m2")
    await rocketchat.read("eve", "r")
    asked: list[tuple[str, Any]] = [
        ("chat.readThread", lambda message: {"tmid": message}),
        ("subscriptions.unread", lambda message: {"firstUnreadMessage": {"_id": message}}),
    ]
    for call, body in asked:
        old, unknown, new = [await rocketchat.post("eve", call, body(message)) for message in ("m1", "none", "m2")]
        assert (old.status_code, old.content) == (400, unknown.content)
        assert new.status_code == 200
    old, unknown, new = [
        await rocketchat.get("eve", "chat.getMessageReadReceipts", messageId=message)
        for message in ("m1", "none", "m2")
    ]
    assert (old.status_code, old.content) == (400, unknown.content)
    assert new.status_code == 200


# Strangers learn nothing


PROBES: list[tuple[str, str, Any]] = [
    ("PUT", "/rooms/{}/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/{}", {"name": "x"}),
    ("PUT", "/rooms/{}", {"roomTags": ["a"], "status": 0}),
    ("DELETE", "/rooms/{}", None),
    ("POST", "/rooms/{}/join", None),
    ("POST", "/rooms/{}/members", {"invitees": ["eve"]}),
    ("POST", "/rooms/{}/members", {"invitees": ["nobody"]}),
    ("POST", "/rooms/{}/members", {"invitees": ["cid"], "invitationRequired": True}),
    ("POST", "/rooms/{}/delete/members", {"members": ["eve"]}),
    ("POST", "/rooms/{}/delete/members", {"members": ["ann"]}),
    ("GET", "/rooms/{}/messages/m1/receipts", None),
    ("GET", "/rooms/{}/receipts?messages=m1", None),
    ("POST", "/rooms/{}/message", {"message": "x"}),
    ("POST", "/rooms/{}/message", {"_id": "m1", "message": "x"}),
    ("DELETE", "/rooms/{}/messages/m1", None),
    ("DELETE", "/rooms/{}/messages/_all", None),
]


@pytest.fixture
async def probed(world: Imkit) -> Imkit:
    """Beside room r a direct one, of ann and ben."""
    await world.room(OF_TWO, "ann", "ben", tags=("direct",))
    await world.post(OF_TWO, "ann", "d1")
    return world


@pytest.mark.parametrize(("theirs", "none"), [("r", "none"), (OF_TWO, direct_room("ann", "cid"))])
@pytest.mark.parametrize(("method", "path", "body"), PROBES)
async def test_a_stranger_cannot_tell_a_room_from_none(
    probed: Imkit, method: str, path: str, body: Any, theirs: str, none: str
) -> None:
    """Byte for byte the same answer, after as many questions to the store."""
    answers, spent = [], []
    for room in (theirs, none, theirs, none):
        before = probed.round_trips
        answers.append(await refused(probed, "eve", method, path.format(room), body))
        spent.append(probed.round_trips - before)
    assert answers[0].status_code == (403 if path.endswith("/message") else 404)
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert spent[2] == spent[3]


async def test_a_stranger_is_told_that_they_are_none_only_of_the_room_s_own_view(probed: Imkit) -> None:
    """There the original documents it."""
    assert (await refused(probed, "eve", "GET", "/rooms/r")).content == STRANGER
    assert (await refused(probed, "eve", "GET", "/rooms/none")).content == NO_ROOM


async def test_a_stranger_s_reads_are_answered_alike_in_a_list_and_over_a_socket(probed: Imkit) -> None:
    items = [{"room": room, "message": "m1"} for room in ("r", "none")]
    theirs, none = result(await probed.as_user("eve", "PUT", "/me/lastReads", {"items": items}))["results"]
    assert theirs == none == msgspec.json.decode(NOT_FOUND)
    principal = Principal("default", "eve", backend=False, session=None)
    for item in items:
        assert await HTTP_CALLS["lastRead"](probed.services, principal, item) == NOT_FOUND


ROCKETCHAT: list[tuple[str, str, Any, Any]] = [
    ("GET", "channels.counters", {"roomId": "r"}, {"roomId": "none"}),
    ("GET", "channels.counters", {"roomId": OF_TWO}, {"roomId": "none"}),
    ("GET", "channels.counters", {"roomName": "Room"}, {"roomName": "None"}),
    ("GET", "groups.counters", {"roomId": "p"}, {"roomId": "none"}),
    ("GET", "groups.counters", {"roomId": "r"}, {"roomId": "none"}),
    ("GET", "im.counters", {"roomId": OF_TWO}, {"roomId": "none"}),
    ("GET", "dm.counters", {"roomId": "r"}, {"roomId": "none"}),
    ("GET", "subscriptions.getOne", {"roomId": "r"}, {"roomId": "none"}),
    ("POST", "subscriptions.read", {"rid": "r"}, {"rid": "none"}),
    ("POST", "subscriptions.unread", {"roomId": "r"}, {"roomId": "none"}),
    ("POST", "subscriptions.unread", {"firstUnreadMessage": {"_id": "m1"}}, {"firstUnreadMessage": {"_id": "none"}}),
    ("GET", "chat.getMessageReadReceipts", {"messageId": "m1"}, {"messageId": "none"}),
    ("GET", "chat.getMessageReadReceipts", {"messageId": "d1"}, {"messageId": "none"}),
    ("POST", "chat.readThread", {"tmid": "m1"}, {"tmid": "none"}),
]


@pytest.mark.parametrize(("method", "call", "theirs", "none"), ROCKETCHAT)
async def test_a_stranger_cannot_tell_a_room_or_message_from_none_in_the_words_of_rocketchat(
    probed: Imkit, rocketchat: Rocketchat, method: str, call: str, theirs: Any, none: Any
) -> None:
    await probed.room("p", "ann", t="p")
    await probed.room("eves", "eve")
    await rocketchat.headers("eve")
    answers, spent = [], []
    for given in (theirs, none, theirs, none):
        before = probed.round_trips
        answer = await (
            rocketchat.post("eve", call, given) if method == "POST" else rocketchat.get("eve", call, **given)
        )
        answers.append((answer.status_code, answer.content))
        spent.append(probed.round_trips - before)
    assert len(set(answers)) == 1
    assert spent[2] == spent[3]


# Unwanted membership

TWO = {"_id": "d", "invitee": "ben"}


@pytest.mark.parametrize(
    "fields", [{"roomTags": ["direct", "work"]}, {"roomType": "direct"}, {"t": "d"}, {"roomType": "DIRECT"}]
)
@pytest.mark.parametrize("people", [[], ["ann"], ["ben", "cid"], ["ben", "cid", "ann"]])
async def test_a_client_makes_a_direct_room_with_exactly_one_other(
    world: Imkit, fields: dict[str, Any], people: list[str]
) -> None:
    for name in ("invitee", "members"):
        body = {"_id": "d", name: people, **fields}
        answer = await refused(world, "ann", "POST", "/rooms/createAndJoin", body)
        assert answer.content == refusal(400, "Bad Request", "INVALID_BODY", DIRECT_ONLY)
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {**TWO, **fields}))


async def test_only_the_two_are_brought_into_their_conversation(world: Imkit) -> None:
    answer = await refused(world, "ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO, "invitee": ["ben", "cid"]})
    assert code_of(answer) == (400, "INVALID_BODY")
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO}))
    assert code_of(await refused(world, "ann", "POST", f"/rooms/{OF_TWO}/members", {"invitees": ["eve"]})) == (
        400,
        "INVALID_BODY",
    )
    result(await world.as_user("ann", "POST", f"/rooms/{OF_TWO}/members", {"invitees": ["ben"]}))
    result(await world.as_user("ben", "POST", f"/rooms/{OF_TWO}/delete/members", {"members": ["ben"]}))
    result(await world.as_user("ben", "POST", f"/rooms/{OF_TWO}/join"))
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {**TWO, "roomType": "direct"}))
    assert code_of(await refused(world, "ann", "POST", "/rooms/d/members", {"invitees": ["eve"]})) == (
        400,
        "INVALID_BODY",
    )


@pytest.mark.parametrize("fields", [{"roomTags": ["direct"]}, {"roomType": "direct"}, {"t": "d"}])
async def test_a_client_makes_no_group_a_direct_room(world: Imkit, fields: dict[str, Any]) -> None:
    """Nor a direct room a group, which it could then open."""
    assert code_of(await refused(world, "ann", "PUT", "/rooms/r", fields)) == (400, "INVALID_BODY")
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", TWO))
    result(await world.as_user("ann", "PUT", "/rooms/d", fields))
    for undone in ({"roomTags": list[str]()}, {"roomType": "group"}, {"t": "c"}):
        if set(undone) == set(fields):
            assert code_of(await refused(world, "ann", "PUT", "/rooms/d", undone)) == (400, "INVALID_BODY")
    result(await world.as_backend("PUT", "/rooms/r", fields))


async def test_a_direct_room_is_called_after_the_other_not_as_its_maker_wants(
    world: Imkit, rocketchat: Rocketchat
) -> None:
    for room, fields in {"d": {"roomTags": ["direct"]}, OF_TWO: {}}.items():
        body = {"_id": room, "invitee": "ben", "name": "Your Bank", **fields}
        result(await world.as_user("ann", "POST", "/rooms/createAndJoin", body))
        shown = await rocketchat.subscription("ben", room)
        assert (shown["t"], shown["name"], shown["fname"]) == ("d", "ann", "Ann")


@pytest.mark.parametrize("kind", sorted(SYSTEM_TYPES))
async def test_a_client_sends_nothing_in_the_service_s_own_name(world: Imkit, kind: str) -> None:
    """Neither anew nor as an edit of its own, over HTTP and over a socket. The backend may."""
    principal = Principal("default", "ann", backend=False, session=None)
    for body in ({"messageType": kind}, {"_id": "m1", "messageType": kind}, {"messageType": kind, "members": ["ben"]}):
        answer = await refused(world, "ann", "POST", "/rooms/r/message", body)
        assert code_of(answer) == (400, "INVALID_BODY")
        said = await HTTP_CALLS["chat message"](world.services, principal, {"room": "r", **body})
        assert said == answer.content
    result(await world.as_backend("POST", "/messages", {"room": "r", "sender": "ann", "messageType": kind}))


# Whom a client names, and how much


@pytest.mark.parametrize("path", ["/rooms/createAndJoin", "/rooms/r/members"])
async def test_a_client_names_only_users_whom_the_backend_has_created(world: Imkit, path: str) -> None:
    field = "invitees" if path.endswith("/members") else "invitee"
    for asked in (False, True):
        body = {field: ["ben", *(f"ghost-{number}" for number in range(7))], "invitationRequired": asked}
        answer = await refused(world, "ann", "POST", path, body)
        named = ", ".join(f"ghost-{number}" for number in range(5))
        text = f"{field} must name users that the backend has created; unknown: {named} and 2 more"
        assert answer.content == refusal(400, "Bad Request", "INVALID_BODY", text)
    result(await world.as_backend("POST", path, {field: ["ghost-0"]}, user="ann"))


async def test_a_user_is_known_from_the_moment_they_are_created(world: Imkit) -> None:
    """Not some seconds later, when a cache would have noticed."""
    body = {"invitees": ["new"]}
    await refused(world, "ann", "POST", "/rooms/r/members", body)
    await world.as_backend("POST", "/admin/clients", {"_id": "new"})
    room = result(await world.as_user("ann", "POST", "/rooms/r/members", body))
    assert "new" in {member["_id"] for member in room["members"]}


class TestLimits:
    """What one call of a client names."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, client_people_limit=2, client_tag_limit=3)

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/rooms/createAndJoin", {"invitee": ["ben", "cid", "eve"]}),
            (
                "POST",
                "/rooms/createAndJoin",
                {"invitee": ["ben"], "members": ["cid", "eve"], "invitationRequired": True},
            ),
            ("POST", "/rooms/createAndJoin", {"_id": "r", "invitee": ["ben", "cid", "eve"]}),
            ("POST", "/rooms/r/members", {"invitees": ["ben", "cid", "eve"]}),
            ("POST", "/rooms/r/delete/members", {"members": ["ben", "cid", "eve"]}),
            ("POST", "/rooms/createAndJoin", {"roomTags": ["a", "b", "c", "d"]}),
            ("PUT", "/rooms/r", {"roomTags": ["a", "b", "c", "d"], "name": "x"}),
        ],
    )
    async def test_a_client_names_no_more_than_it_may(
        self, world: Imkit, method: str, path: str, body: dict[str, Any]
    ) -> None:
        answer = await refused(world, "ann", method, path, body)
        assert code_of(answer) == (400, "LIMIT_REACHED")
        assert "backend" in answer.json()["error"]["message"]
        result(await world.as_backend(method, path, body, user="ann"))

    async def test_a_client_may_name_as_much_as_the_limits_say(self, world: Imkit) -> None:
        """Itself it need not count, nor what it names twice."""
        body = {"invitee": ["ann", "ben", "cid", "ben"], "roomTags": ["a", "b", "c", "a"]}
        result(await world.as_user("ann", "POST", "/rooms/createAndJoin", body))


async def test_what_a_client_makes_is_marked_and_what_the_backend_makes_is_not(world: Imkit) -> None:
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": "mine"}))
    result(await world.as_backend("POST", "/rooms/createAndJoin", {"_id": "bff"}, user="ann"))
    read_state = world.services.read_state
    made = {room: (await read_state.room(app="default", room=room)).made for room in ("mine", "bff", "r")}
    assert made == {"mine": Made.BY_CLIENT, "bff": Made.NOT_BY_CLIENT, "r": Made.NOT_BY_CLIENT}
