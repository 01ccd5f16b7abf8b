"""The powers of an owner or a manager end with their membership."""

from typing import Any

import httpx
import pytest

from tests.security.rooms.answers import NO_MANAGER, NO_MESSAGE, NO_ROOM, STRANGER, at, members_of, refused
from tests.support.imkit import Imkit, result
from tests.support.rocketchat import Rocketchat

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
    """Whether it is open or not.

    Every member may leave, and the backend may remove any.
    """
    result(await world.as_backend("PUT", "/rooms/r", {"opening": opening}))
    for members in (["ann"], ["ann", "cid"], ["ben"], ["nobody"], []):
        body = {"members": members}
        assert (await refused(world, "cid", "POST", "/rooms/r/delete/members", body)).content == NO_MANAGER
    result(await world.as_user("cid", "POST", "/rooms/r/delete/members", {"members": ["cid"]}))
    result(await world.as_user("ann", "POST", "/rooms/r/delete/members", {"members": ["ben"]}))
    result(await world.as_backend("POST", "/rooms/r/delete/members", {"members": ["ann"]}))
    assert await members_of(world) == set()


async def test_members_learn_of_no_message_before_they_joined_by_trying_to_change_it(world: Imkit) -> None:
    """The owner and the managers may change it, whenever they came."""
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
    """They look like messages that never existed, also after coming back."""
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
