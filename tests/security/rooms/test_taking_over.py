"""A backend's room is its own, even if a client used the id first."""

import asyncio
from typing import Any

import pytest

from readstate.store.rooms import RedisRooms
from tests.security.rooms.answers import NO_ROOM, OF_TWO, STRANGER, at, members_of, refused
from tests.support import tencent_callbacks as told
from tests.support.imkit import Imkit, result
from tests.support.tencent_callbacks import Tencent


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
    """Only a client's room is taken over, and only once."""
    await squatted(world, "s")
    result(await world.as_backend("POST", "/rooms", {"_id": "s", "members": ["ann"], "owner": "ann"}))
    for _ in range(2):
        room = result(await world.as_backend("POST", "/rooms", {"_id": "s", "members": ["ben"], "owner": "ben"}))
        assert (room["created"], room["owner"], set(room["members"])) == (False, "ann", {"ann", "ben"})


async def test_a_backend_that_joins_in_a_user_s_name_takes_no_room_over(world: Imkit) -> None:
    """It passes on a user's wish, and the user must not get another's room."""
    await squatted(world, "s", "ben")
    room = result(await world.as_backend("POST", "/rooms/createAndJoin", {"_id": "s", "invitee": "cid"}, user="ann"))
    assert room["owner"] == "eve"
    assert await members_of(world, "s") == {"ann", "ben", "cid", "eve"}


async def test_a_call_that_was_allowed_in_the_room_of_a_client_is_not_in_that_of_the_backend(world: Imkit) -> None:
    """With many calls under way while the backend takes the room over."""
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
    """The takeover comes between the steps of that call.

    The answer tells nothing of the backend's room.
    """
    create_room = RedisRooms.create_room

    async def taken_over(rooms: RedisRooms, **room: Any) -> bool:
        created = await create_room(rooms, **room)
        if room.get("by_client"):
            await create_room(rooms, app=room["app"], room=room["room"], members=["ann"])
        return created

    monkeypatch.setattr(RedisRooms, "create_room", taken_over)
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
    """By its first message or its next member: other users in the client's room are no members."""
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
    """Also when one of them made the room before, with a name of their own."""
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO, "name": "Your Bank"}))
    await Tencent(world).tell(told.direct_sent("ann", "ben", 1))
    shown = result(await world.as_backend("GET", f"/rooms/{OF_TWO}"))
    assert {member["_id"] for member in shown["members"]} == {"ann", "ben"}
    assert (shown["roomTags"], "name" in shown, "owner" in shown) == (["direct"], False, False)
    assert await world.badge("ben", "direct") == 1
