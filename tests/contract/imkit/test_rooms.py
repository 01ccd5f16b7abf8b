"""How rooms and messages change counts, and who may change them."""

import re
from typing import Any

import msgspec
import pytest

from readstate.domain.limits import MAX_PROFILE_FIELDS
from readstate.settings import Settings
from tests.support.imkit import Imkit, refusal, result

NO_ROOM = refusal(404, "Room not found", "ROOM_NOT_FOUND", "Room not found")
NO_MANAGER = refusal(403, "Forbidden", "INSUFFICIENT_PERMISSIONS", "Only the owner or a manager may do this")


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    """Al owns room r, bo manages it, cy is in it.

    Al has posted m1, which bo and cy have not read.
    """
    await imkit.room("r", "al", "bo", "cy", tags=("work",), owner="al", managers=["bo"])
    await imkit.post("r", "al", "m1")
    return imkit


async def properties(imkit: Imkit, room: str = "r") -> dict[str, tuple[int, str | None]]:
    """Badge and cursor of each member."""
    shown = result(await imkit.as_backend("GET", f"/rooms/{room}"))["memberProperties"]
    return {one["client"]: (one["badge"], one.get("lastRead")) for one in shown}


async def opened(imkit: Imkit, *users: str) -> None:
    """Room r is open, and there are `users` to bring in."""
    result(await imkit.as_backend("PUT", "/rooms/r", {"opening": 1}))
    for user in users:
        await imkit.sign_in(user)


async def last_type(imkit: Imkit, room: str = "r") -> str:
    """Sender of the newest message, "" for none."""
    sender = result(await imkit.as_backend("GET", f"/rooms/{room}"))["lastMessage"]["sender"]
    return sender["_id"] if sender else ""


async def test_posting_reads_for_the_sender_only(al: Imkit) -> None:
    assert await properties(al) == {"al": (0, "m1"), "bo": (1, None), "cy": (1, None)}


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"messageType": "image"}, True),
        ({"messageType": "silent"}, False),
        ({"messageType": "reaction"}, False),
        ({"messageType": "edit"}, False),
        ({"countable": False}, False),
        ({"countable": True}, True),
        ({"silent": True}, False),
        ({"silent": False, "countable": None, "messageType": None}, True),
    ],
)
async def test_what_counts(al: Imkit, fields: dict[str, Any], counts: bool) -> None:
    """Both ways of posting are tried."""
    result(await al.as_backend("POST", "/messages", {"room": "r", "sender": "al", "message": "x", **fields}))
    assert await al.badge("bo") == 1 + counts
    result(await al.as_user("al", "POST", "/rooms/r/message", {"message": "x", **fields}))
    assert await al.badge("bo") == 1 + 2 * counts


async def test_posting_again_under_the_same_id_changes_nothing(al: Imkit) -> None:
    await al.post("r", "al", "m1")
    assert await al.badge("bo") == 1


async def test_editing_counts_nothing(al: Imkit) -> None:
    result(await al.as_user("al", "POST", "/rooms/r/message", {"_id": "m1", "message": "y"}))
    assert await al.badge("bo") == 1


@pytest.mark.parametrize(("user", "allowed"), [("al", True), ("bo", True), ("cy", False)])
async def test_who_may_recall(al: Imkit, user: str, allowed: bool) -> None:
    """The sender, the owner and managers may do it. Every badge that counted the message falls."""
    answer = await al.as_user(user, "POST", "/rooms/r/message", {"_id": "m1", "messageType": "recall"})
    assert (answer.status_code == 200) == allowed
    if not allowed:
        assert answer.content == NO_MANAGER
    assert await al.badge("cy") == (0 if allowed else 1)


async def test_the_backend_recalls(al: Imkit) -> None:
    body = {"room": "r", "sender": "al", "_id": "m1", "messageType": "recall"}
    assert result(await al.as_backend("POST", "/messages", body))["message"] == ""
    assert await al.badge("cy") == 0


async def test_deleting_lowers_the_badges(al: Imkit) -> None:
    await al.post("r", "al", "m2")
    result(await al.as_user("bo", "DELETE", "/rooms/r/messages/m1"))
    assert await al.badge("cy") == 1
    assert result(await al.as_user("bo", "DELETE", "/rooms/r/messages/_all"))["deletedCount"] == 1
    assert await al.badge("cy") == 0


async def test_a_batch_of_one_room_keeps_its_order(al: Imkit) -> None:
    items = [{"room": "r", "sender": "al", "message": str(i)} for i in range(50)]
    ids = [
        one["result"]["_id"]
        for one in result(await al.as_backend("POST", "/messages/batch", {"messages": items}))["results"]
    ]
    assert ids == sorted(ids)
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in ids)
    assert result(await al.as_user("cy", "PUT", "/rooms/r/lastRead", {"message": ids[9]}))["unread"] == 40


async def test_joining_starts_at_the_head(al: Imkit) -> None:
    await opened(al)
    assert result(await al.as_user("di", "POST", "/rooms/r/join"))["unread"] == 0
    assert (await properties(al))["di"] == (0, None)
    await al.post("r", "al", "m2")
    assert await al.badge("di") == 1
    assert result(await al.as_user("di", "POST", "/rooms/r/join", b""))["unread"] == 1


async def test_a_form_body_on_join_is_no_obstacle(al: Imkit) -> None:
    """Older clients send an empty form."""
    await opened(al)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    token = await al.sign_in("di")
    answer = await al.call(
        "POST", "/rooms/r/join", b"", headers | {"IM-CLIENT-KEY": "client-key-of-the-app", "IM-Authorization": token}
    )
    assert "di" in [member["_id"] for member in result(answer)["members"]]


async def test_leaving_and_being_removed(al: Imkit) -> None:
    result(await al.as_user("cy", "POST", "/rooms/r/delete/members/", {"members": ["cy"]}))
    result(await al.as_user("al", "POST", "/rooms/r/delete/members", {"members": ["bo", "nobody"]}))
    assert set(await properties(al)) == {"al"}
    assert await al.badge("bo") == await al.badge("cy") == 0


async def test_adding_members(al: Imkit) -> None:
    await opened(al, "di")
    result(await al.as_user("cy", "POST", "/rooms/r/members", {"invitees": ["di", "di", "cy"]}))
    assert set(await properties(al)) == {"al", "bo", "cy", "di"}


async def test_the_invited_are_members_only_when_they_join(al: Imkit) -> None:
    """Except in a direct room, where it needs no right."""
    await al.sign_in("di")
    result(await al.as_user("al", "POST", "/rooms/r/members", {"invitees": ["di"], "invitationRequired": True}))
    assert "di" not in await properties(al)
    result(await al.as_user("di", "POST", "/rooms/r/join"))
    assert "di" in await properties(al)
    await al.room("d", "al", roomType="direct", owner="al")
    result(await al.as_user("al", "POST", "/rooms/d/members", {"invitees": ["di"], "invitationRequired": True}))
    assert "di" in await properties(al, "d")


async def test_no_user_joins_a_closed_room_by_themselves(al: Imkit) -> None:
    """Without `opening` 1 only the owner, the managers and the backend bring users."""
    assert (await al.as_user("di", "POST", "/rooms/r/join")).content == NO_ROOM
    assert (await al.as_user("di", "POST", "/rooms/createAndJoin", {"_id": "r"})).content == NO_ROOM
    result(await al.as_user("cy", "POST", "/rooms/createAndJoin", {"_id": "r", "invitee": "di"}))
    assert set(await properties(al)) == {"al", "bo", "cy"}
    assert (await al.as_user("cy", "POST", "/rooms/r/members", {"invitees": ["di"]})).content == NO_MANAGER
    assert (await al.as_user("cy", "POST", "/rooms/r/delete/members", {"members": ["bo"]})).content == NO_MANAGER
    result(await al.as_user("cy", "POST", "/rooms/r/join"))
    result(await al.as_user("bo", "POST", "/rooms/r/members", {"invitees": ["di"]}))
    result(await al.as_user("cy", "POST", "/rooms/r/delete/members", {"members": ["cy"]}))
    assert set(await properties(al)) == {"al", "bo", "di"}


@pytest.mark.parametrize(("user", "allowed"), [("al", True), ("bo", True), ("cy", False)])
async def test_who_may_change_and_delete_a_room(al: Imkit, user: str, allowed: bool) -> None:
    changed = await al.as_user(
        user, "PUT", "/rooms/r", {"name": "New", "roomTags": ["b", "a"], "extParams": {"x": [1, 2.50]}}
    )
    deleted = await al.as_user(user, "DELETE", "/rooms/r")
    assert (changed.status_code, deleted.status_code) == ((200, 200) if allowed else (403, 403))
    if allowed:
        room = result(changed)
        assert (room["name"], room["roomTags"], room["extParams"]) == ("New", ["a", "b"], {"x": [1, 2.5]})
        assert await al.badge("cy") == 0


async def test_badges_follow_the_tags(al: Imkit) -> None:
    result(await al.as_backend("PUT", "/rooms/r", {"roomTags": ["home"]}))
    assert (await al.badge("bo", "work"), await al.badge("bo", "home"), await al.badge("bo", "home", "work")) == (
        0,
        1,
        0,
    )
    body = {"tags": ["work", "home"]}
    assert result(await al.as_user("bo", "POST", "/badges/byRoomTags", body)) == {
        "totalBadge": 1,
        "data": {"work": 0, "home": 1},
    }


async def test_a_room_with_two_tags_is_in_the_total_once(al: Imkit) -> None:
    result(await al.as_backend("PUT", "/rooms/r", {"roomTags": ["home", "work"]}))
    assert result(await al.as_user("bo", "POST", "/badges/byRoomTags")) == {
        "totalBadge": 1,
        "data": {"home": 1, "work": 1},
    }


async def test_creating_a_room_that_exists_only_adds_members(al: Imkit) -> None:
    """Its tags, profile, messages and cursors stay."""
    again = {"_id": "r", "members": ["di"], "roomTags": ["other"], "owner": "di", "name": "Other"}
    room = result(await al.as_backend("POST", "/rooms", again))
    assert (room["roomTags"], room["owner"], set(room["members"])) == (["work"], "al", {"al", "bo", "cy", "di"})
    assert "name" not in room
    assert room["created"] is False
    room = result(await al.as_backend("POST", "/rooms/createAndJoin", {**again, "invitee": "fi"}, user="ed"))
    assert (room["owner"], room["unread"]) == ("al", 0)
    assert await properties(al) == {
        "al": (0, "m1"),
        "bo": (1, None),
        "cy": (1, None),
        "di": (0, None),
        "ed": (0, None),
        "fi": (0, None),
    }


async def test_a_client_that_creates_a_room_that_exists_joins_it(al: Imkit) -> None:
    """It does no more than that: named users are not brought in."""
    await opened(al, "fi")
    again = {"_id": "r", "members": ["di"], "roomTags": ["other"], "owner": "ed", "invitee": "fi"}
    room = result(await al.as_user("ed", "POST", "/rooms/createAndJoin", again))
    assert (room["roomTags"], room["owner"]) == (["work"], "al")
    assert set(await properties(al)) == {"al", "bo", "cy", "ed"}


async def test_the_creator_of_a_room_owns_it(imkit: Imkit) -> None:
    await imkit.sign_in("bo")
    room = result(await imkit.as_user("al", "POST", "/rooms/createAndJoin", {"invitee": ["bo"], "roomTags": ["x"]}))
    assert re.fullmatch("[0-9a-f]{24}", room["_id"])
    assert {member["_id"] for member in room["members"]} == {"al", "bo"}
    assert (room["owner"], room["isSuperuser"]) == ("al", True)


async def test_an_impossible_owner_creates_nothing(imkit: Imkit) -> None:
    """Not even when the owner announces the members."""
    body = {"_id": "r", "members": ["al"], "owner": "x" * 129, "systemMessage": True}
    assert (await imkit.as_backend("POST", "/rooms", body)).status_code == 400
    assert (await imkit.as_backend("GET", "/rooms/r")).status_code == 404


async def test_who_creates_a_room_is_one_of_its_profile_fields(imkit: Imkit) -> None:
    """A room with too many fields could never be changed again."""
    fields = {f"f{number}": number for number in range(MAX_PROFILE_FIELDS)}
    assert (await imkit.as_user("al", "POST", "/rooms/createAndJoin", {"_id": "r", **fields})).status_code == 400
    del fields["f0"]
    assert (await imkit.as_user("al", "POST", "/rooms/createAndJoin", {"_id": "r", **fields})).status_code == 200
    assert (await imkit.as_user("al", "PUT", "/rooms/r", {"f1": 2})).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_manager_s_name_is_not_a_part_of_another(imkit: Imkit, method: str) -> None:
    """Odd values of `owner` and `managers` give no rights."""
    await imkit.room("r", "a")
    result(await imkit.as_backend("PUT", "/rooms/r", {"owner": ["a"], "managers": "a,b"}))
    assert (
        await imkit.as_user("a", method, "/rooms/r", {"name": "x"} if method == "PUT" else None)
    ).content == NO_MANAGER


async def test_system_messages_are_off_by_default(al: Imkit) -> None:
    await opened(al, "ed")
    await al.as_user("di", "POST", "/rooms/r/join")
    await al.as_user("di", "POST", "/rooms/r/members", {"invitees": ["ed"]})
    assert await al.badge("bo") == 1


async def test_system_messages_count_for_everybody_but_the_actor(al: Imkit) -> None:
    said = {"systemMessage": True}
    await opened(al, "ed", "fi")
    await al.as_user("di", "POST", "/rooms/r/join", said)
    assert (await al.badge("bo"), await al.badge("di"), await last_type(al)) == (2, 0, "di")
    await al.as_user("bo", "POST", "/rooms/r/members", {"invitees": ["ed", "fi"], **said})
    assert (await al.badge("bo"), await al.badge("di"), await al.badge("ed")) == (0, 1, 1)
    await al.as_user("al", "POST", "/rooms/r/delete/members", {"members": ["ed"], **said})
    assert (await al.badge("al"), await al.badge("fi"), await al.badge("ed")) == (0, 2, 0)
    await al.as_user("fi", "POST", "/rooms/r/delete/members", {"members": ["fi"], **said})
    assert (await al.badge("al"), await al.badge("fi"), await last_type(al)) == (1, 0, "fi")
    await al.as_user("di", "POST", "/rooms/r/join", said)
    assert await al.badge("al") == 1


async def test_system_messages_of_creation(imkit: Imkit) -> None:
    await imkit.sign_in("bo")
    await imkit.as_user("al", "POST", "/rooms/createAndJoin", {"_id": "r", "invitee": "bo", "systemMessage": True})
    assert (await imkit.badge("al"), await imkit.badge("bo")) == (0, 1)
    await imkit.room("s", "al", "bo", owner="al", systemMessage=True)
    assert (await imkit.badge("al"), await imkit.badge("bo")) == (0, 2)


class TestRoomScope:
    """For clients that read `badge` in the answer to PUT lastRead as the room's own count."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, lastread_badge_scope="room")

    async def test_the_badge_of_a_read_is_the_rooms(self, al: Imkit) -> None:
        await al.room("other", "bo")
        await al.post("other", "al", "o1")
        await al.post("r", "al", "m2")
        answer = await al.as_user("bo", "PUT", "/rooms/r/lastRead", {"message": "m1"})
        assert result(answer) == {"client": "bo", "lastRead": "m1", "badge": 1, "unread": 1}
        assert await al.badge("bo") == 2


async def test_the_callers_own_state_is_always_among_those_shown(imkit: Imkit) -> None:
    """Of 1,101 members the furthest readers are shown, so later ones too.

    A member who has not read is left out.
    """
    people = [f"p{number:04}" for number in range(1_100)]
    await imkit.room("r", "al", *people[:100])
    for number in range(3):
        await imkit.post("r", "zoe", f"m{number}")
    await imkit.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m1"})
    result(await imkit.as_backend("POST", "/rooms/r/members", {"invitees": people[100:]}))
    for method, path, body in (
        ("GET", "/rooms/r", None),
        ("PUT", "/rooms/r", {"name": "Room"}),
        ("POST", "/rooms/r/join", None),
        ("POST", "/rooms/r/members", {"invitees": ["p0000"]}),
        ("POST", "/rooms/createAndJoin", {"_id": "r"}),
    ):
        room = result(await imkit.as_backend(method, path, body, user="al"))
        assert len(room["memberProperties"]) == len(room["members"]) == 1_001
        assert [one for one in room["memberProperties"] if one["client"] == "al"] == [
            {"client": "al", "badge": 1, "lastRead": "m1"}
        ]
    assert len(result(await imkit.as_backend("GET", "/rooms/r"))["memberProperties"]) == 1_000
    (listed,) = result(await imkit.as_user("al", "GET", "/rooms"))["data"]
    assert len(listed["members"]) == 101
    assert "al" in [member["_id"] for member in listed["members"]]
