"""Reading in the Rocket.Chat dialect: the readers of a message, their order and pages, and
counts.
"""

import asyncio
from typing import Any

import pytest

from readstate.dialects.rocketchat import receipts
from readstate.domain.direct import TAG, direct_room
from readstate.store import pipelined_connection
from tests.support.imkit import result
from tests.support.rocketchat import Rocketchat


@pytest.fixture
async def al(rocketchat: Rocketchat) -> Rocketchat:
    """Al, bo and cy are in room r, where bo has posted m1."""
    for user in ("al", "bo", "cy"):
        await rocketchat.backend.sign_in(user)
    await rocketchat.backend.room("r", "al", "bo", "cy", name="Room")
    await rocketchat.backend.post("r", "bo", "m1")
    return rocketchat


async def entries(al: Rocketchat, message: str, **query: Any) -> list[dict[str, Any]]:
    answer = await al.get("al", "chat.getMessageReadReceipts", messageId=message, **query)
    found: list[dict[str, Any]] = answer.json()["receipts"]
    return found


async def crowd(al: Rocketchat, size: int) -> list[str]:
    """A room `hall` of al and as many others, who have all read al's message h1.

    Returns the expected order of its readers.
    """
    people = [f"p{number:05d}" for number in range(size)]
    read_state, app = al.backend.services, "default"
    await read_state.rooms.create_room(app=app, room="hall", members=["al"])
    for start in range(0, size, 1000):
        await read_state.rooms.add_members(app=app, room="hall", members=people[start : start + 1000])
    await read_state.messages.post(app=app, room="hall", sender="al", message="h1")
    for start in range(0, size, 500):
        part = people[start : start + 500]
        await asyncio.gather(
            *(read_state.reading.mark_read(app=app, room="hall", user=user, message="h1") for user in part)
        )
    return ["al", *people]


async def test_the_sender_comes_first_with_the_time_of_the_message(al: Rocketchat) -> None:
    """The sender of a message has read the earlier ones too."""
    await al.read("cy", "r")
    await asyncio.sleep(0.003)
    await al.backend.post("r", "al", "m2")
    assert await al.readers("al", "m2") == ["al"]
    assert await al.readers("al", "m1") == ["bo", "cy", "al"]
    latest = (await al.get("al", "channels.counters", roomId="r")).json()["latest"]
    assert (await entries(al, "m2"))[0]["ts"] == latest


async def test_a_receipt_keeps_the_time_of_the_first_read(al: Rocketchat) -> None:
    """All messages of one read have the same time."""
    await al.backend.post("r", "bo", "m2")
    await al.read("cy", "r")
    first, second = (await entries(al, "m1"))[1], (await entries(al, "m2"))[1]
    assert first["ts"] == second["ts"] >= (await entries(al, "m2"))[0]["ts"]
    await asyncio.sleep(0.005)
    await al.backend.post("r", "bo", "m3")
    await al.read("cy", "r")
    assert (await entries(al, "m1"))[1] == first
    assert (await entries(al, "m3"))[1]["ts"] > first["ts"]


async def test_readers_come_in_the_order_of_their_times(al: Rocketchat) -> None:
    for user in ("cy", "al"):
        await al.read(user, "r")
        await asyncio.sleep(0.003)
    found = await entries(al, "m1")
    assert [one["userId"] for one in found] == ["bo", "cy", "al"]
    assert [one["ts"] for one in found] == sorted(one["ts"] for one in found)


async def test_receipts_are_there_when_the_read_is_answered(al: Rocketchat) -> None:
    for number in range(20):
        await al.backend.post("r", "bo", f"n{number}")
        await al.read("al", "r")
        assert await al.readers("al", f"n{number}") == ["bo", "al"]


async def test_who_joined_later_has_no_receipt(al: Rocketchat) -> None:
    await al.backend.sign_in("di")
    result(await al.backend.as_backend("POST", "/rooms/r/members", {"invitees": ["di"]}))
    await al.read("di", "r")
    assert await al.readers("al", "m1") == ["bo"]


async def test_who_left_keeps_the_receipt(al: Rocketchat) -> None:
    """Readers and senders. A member who left without reading is not there."""
    await al.read("al", "r")
    result(await al.backend.as_backend("POST", "/rooms/r/members", {"invitees": ["di"]}))
    result(await al.backend.as_backend("POST", "/rooms/r/delete/members", {"members": ["bo", "al", "di"]}))
    assert await al.readers("cy", "m1") == ["bo", "al"]


async def test_a_user_that_the_directory_does_not_know_has_no_user_object(al: Rocketchat) -> None:
    await al.backend.room("s", "al", "ghost")
    await al.backend.post("s", "ghost", "s1")
    await al.read("al", "s")
    ghost, known = await entries(al, "s1")
    assert set(ghost) == {"_id", "roomId", "userId", "messageId", "ts", "_updatedAt"}
    assert known["user"] == {"_id": "al", "username": "al", "name": "Al"}


async def test_a_message_without_a_sender(al: Rocketchat) -> None:
    result(await al.backend.as_backend("POST", "/messages", {"_id": "sys", "room": "r", "sender": None}))
    await al.read("al", "r")
    assert await al.readers("al", "sys") == ["al"]


async def test_names_come_from_the_profile(al: Rocketchat) -> None:
    result(
        await al.backend.as_backend(
            "POST", "/admin/clients", {"_id": "bo", "username": "bob", "name": "Bob B.", "nickname": "B"}
        )
    )
    assert (await entries(al, "m1"))[0]["user"] == {"_id": "bo", "username": "bob", "name": "Bob B."}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, slice(None)),
        ({"count": 0}, slice(None)),
        ({"offset": 0}, slice(0, 50)),
        ({"count": 7}, slice(0, 7)),
        ({"offset": 50, "count": 50}, slice(50, 100)),
        ({"offset": 100, "count": 100}, slice(100, 200)),
        ({"offset": 3, "count": 1000}, slice(3, 103)),
        ({"offset": 140, "count": 0}, slice(140, None)),
        ({"offset": 151, "count": 50}, slice(0, 0)),
        ({"offset": 10**9, "count": 50}, slice(0, 0)),
    ],
)
async def test_pages(al: Rocketchat, query: dict[str, int], expected: slice) -> None:
    """Without parameters: all.

    With one of them: 50 by default, at most 100; a count of 0 is the rest.
    """
    everybody = await crowd(al, 150)
    found = await al.readers("al", "h1")
    assert found[0] == "al"
    assert sorted(found) == sorted(everybody)
    assert await al.readers("al", "h1", **query) == found[expected]


async def test_more_readers_than_one_question_to_the_store_answers(al: Rocketchat) -> None:
    everybody = await crowd(al, 2_300)
    found = await al.readers("al", "h1")
    assert (len(found), set(found)) == (2_301, set(everybody))
    assert await al.readers("al", "h1", offset=2_250, count=100) == found[2_250:]


async def test_the_longest_list(al: Rocketchat, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender, and at most as many others."""
    monkeypatch.setattr(receipts, "MAX_RECEIPTS", 1_000)
    await crowd(al, 1_200)
    found = await al.readers("al", "h1")
    assert (found[0], len(found), len(set(found))) == ("al", 1_001, 1_001)
    assert await al.readers("al", "h1", offset=1_001, count=50) == []


async def test_nobody_is_lost_between_pages_while_people_read_on(al: Rocketchat) -> None:
    """New reads do not move a reader from one page to another."""
    everybody = await crowd(al, 120)
    await al.backend.post("hall", "al", "h2")
    found: list[str] = []
    for offset in range(0, 150, 30):
        found += await al.readers("al", "h1", offset=offset, count=30)
        await al.backend.services.reading.mark_read(
            app="default", room="hall", user=f"p{offset % 120:05d}", message="h2"
        )
    assert sorted(found) == sorted(everybody)


async def test_reading_clears_badges_everywhere(al: Rocketchat) -> None:
    """A read in this dialect is a read in the others, and the other way round."""
    assert await al.backend.badge("al") == 1
    await al.read("al", "r")
    assert await al.backend.badge("al") == 0
    await al.backend.post("r", "bo", "m2")
    result(await al.backend.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m2"}))
    assert (await al.subscription("al", "r"))["unread"] == 0
    assert await al.readers("al", "m2") == ["bo", "al"]


async def test_reading_again_changes_nothing(al: Rocketchat) -> None:
    await al.read("al", "r")
    before = await al.subscription("al", "r"), await entries(al, "m1")
    await asyncio.sleep(0.005)
    await al.read("al", "r")
    assert (await al.subscription("al", "r"), await entries(al, "m1")) == before


async def test_a_mark_by_hand(al: Rocketchat) -> None:
    """The mark shows the room as unread from the message on.

    Counts and receipts stay. The next read removes the mark.
    """
    await al.backend.post("r", "bo", "m2")
    await al.read("al", "r")
    read = await al.subscription("al", "r")
    times = {one["messageId"]: one["ts"] for message in ("m1", "m2") for one in (await entries(al, message))[:1]}
    await al.post("al", "subscriptions.unread", {"firstUnreadMessage": {"_id": "m1"}})
    marked = await al.subscription("al", "r")
    assert (marked["alert"], marked["unread"], marked["ls"]) == (True, 0, times["m1"])
    assert await al.readers("al", "m1") == ["bo", "al"]
    assert await al.backend.badge("al") == 0
    counters = (await al.get("al", "channels.counters", roomId="r")).json()
    assert (counters["unreads"], counters["unreadsFrom"]) == (0, times["m1"])
    await al.read("al", "r")
    after = await al.subscription("al", "r")
    assert (after["alert"], after["unread"], after["ls"]) == (False, 0, read["ls"])


async def test_a_mark_of_the_room_is_at_its_newest_message(al: Rocketchat) -> None:
    await al.backend.post("r", "bo", "m2")
    await al.read("al", "r")
    await al.post("al", "subscriptions.unread", {"roomId": "r"})
    assert (await al.subscription("al", "r"))["ls"] == (await entries(al, "m2"))[0]["ts"]


async def test_marking_what_is_unread_already_does_nothing(al: Rocketchat) -> None:
    await al.read("al", "r")
    await al.backend.post("r", "bo", "m2")
    before = await al.subscription("al", "r")
    answer = await al.post("al", "subscriptions.unread", {"firstUnreadMessage": {"_id": "m2"}})
    assert answer.status_code == 200
    assert await al.subscription("al", "r") == before


async def test_a_mark_moves_back_and_not_forward(al: Rocketchat) -> None:
    """Reading an earlier message than the marked one leaves the mark."""
    await asyncio.sleep(0.005)
    await al.backend.post("r", "bo", "m2")
    await al.read("al", "r")
    for message, expected in (("m2", "m2"), ("m1", "m1"), ("m2", "m1")):
        await al.post("al", "subscriptions.unread", {"firstUnreadMessage": {"_id": message}})
        assert (await al.subscription("al", "r"))["ls"] == (await entries(al, expected))[0]["ts"]


async def test_a_poster_is_not_asked_to_read_the_own_message(al: Rocketchat) -> None:
    subscription = await al.subscription("bo", "r")
    assert (subscription["alert"], subscription["unread"]) == (False, 0)


async def test_kinds_of_rooms(al: Rocketchat) -> None:
    """The type is what the backend says, with direct first; channel without a valid one."""
    rooms: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("c", {}, ()),
        ("c", {"t": "c"}, ()),
        ("c", {"t": "x"}, ()),
        ("c", {"t": 7}, ()),
        ("c", {"roomType": "group"}, ()),
        ("p", {"t": "p"}, ()),
        ("d", {"t": "d"}, ()),
        ("d", {"roomType": "direct", "t": "p"}, ()),
        ("d", {"t": "c"}, (TAG,)),
    ]
    for number, (kind, fields, tags) in enumerate(rooms):
        await al.backend.room(f"k{number}", "al", tags=tags, **fields)
        assert (await al.subscription("al", f"k{number}"))["t"] == kind


async def test_names_of_rooms(al: Rocketchat) -> None:
    """In a direct room it is the other's name, because a profile can be forged.

    Otherwise it is the profile's name or the id.
    """
    result(await al.backend.as_backend("POST", "/admin/clients", {"_id": "bo", "username": "bob", "name": "Bob B."}))
    pair = direct_room("al", "bo")
    await al.backend.room(pair, "al", "bo", tags=(TAG,))
    await al.backend.room("nameless", "al", name=7)
    await al.backend.room("imkit", "al", "bo", roomType="direct")
    await al.backend.room("alone", "al", roomType="direct")
    await al.backend.room("called", "al", "bo", roomType="direct", name="Us")
    update = (await al.get("al", "subscriptions.get")).json()["update"]
    names = {one["rid"]: (one["name"], one["fname"]) for one in update}
    bob = ("bob", "Bob B.")
    assert names == {
        "r": ("Room", "Room"),
        pair: bob,
        "imkit": bob,
        "nameless": ("nameless", "nameless"),
        "alone": ("alone", "alone"),
        "called": bob,
    }


async def test_a_channel_is_found_by_the_name_that_is_shown(al: Rocketchat) -> None:
    """Of several rooms with one name, the lowest id of the wanted kind."""
    await al.backend.room("a1", "al", name="Twice")
    await al.backend.room("a0", "al", name="Twice", t="p")
    await al.backend.room("a2", "al", name="Twice")
    await al.backend.post("a1", "bo", "x1")
    await al.backend.room("plain", "al")
    assert (await al.get("al", "channels.counters", roomName="Twice")).json()["unreads"] == 1
    assert (await al.get("al", "groups.counters", roomName="Twice")).json()["unreads"] == 0
    assert (await al.get("al", "channels.counters", roomName="plain")).json()["joined"] is True


async def test_counters_follow_the_room(al: Rocketchat) -> None:
    """Counts are exact: own messages and deleted ones are not unread."""
    for number, sender in enumerate(("bo", "cy", "bo")):
        await al.backend.post("r", sender, f"n{number}")
    result(await al.backend.as_backend("DELETE", "/rooms/r/messages/n0"))
    assert (await al.get("al", "channels.counters", roomId="r")).json()["unreads"] == 3
    assert (await al.get("bo", "channels.counters", roomId="r")).json()["unreads"] == 0
    counters = (await al.get("cy", "channels.counters", roomId="r")).json()
    assert (counters["members"], counters["unreads"], counters["msgs"]) == (3, 1, 3)


async def test_a_room_above_the_fan_out_limit_is_counted_the_same(al: Rocketchat) -> None:
    await crowd(al, 300)
    await al.backend.post("hall", "al", "h2")
    headers = {"X-Auth-Token": await al.backend.sign_in("p00007"), "X-User-Id": "p00007"}
    answer = await al.client.get("/api/v1/subscriptions.get", headers=headers, params={"updatedSince": "2999-01-01"})
    (one,) = answer.json()["update"]
    assert (one["rid"], one["unread"], one["alert"]) == ("hall", 1, True)


async def test_who_asks_after_a_long_time_gets_everything(al: Rocketchat) -> None:
    """Left rooms are forgotten after a while, so the answer holds all rooms."""
    (one,) = (await al.get("al", "subscriptions.get", updatedSince="2020-01-01T00:00:00.000Z")).json()["update"]
    assert one["rid"] == "r"


async def test_many_readers_leave_the_store_to_others(al: Rocketchat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many users in an answer are not all looked up at once."""
    expected = await crowd(al, 300)
    monkeypatch.setattr(pipelined_connection, "MAX_IN_FLIGHT", 250)
    assert await al.readers("al", "h1") == expected
