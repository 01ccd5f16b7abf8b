"""GET /rooms: which rooms, in which order, how many."""

import json
from typing import Any

import pytest

from readstate.dialects.imkit import room_list
from readstate.store import pipelined_connection
from tests.support.imkit import Imkit, result
from tests.support.waiting import wait_until


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    """Al is in three rooms.

    The newest message is in b, the next in a. Room c is empty and the newest.
    """
    await imkit.room("a", "al", "bo", tags=("work", "eu"), name="Alpha (1+1)")
    await imkit.room("b", "al", tags=("work",), name="beta")
    await a_moment_later(imkit, "a")
    await imkit.post("a", "bo", "a1")
    await a_moment_later(imkit, "a")
    await imkit.post("b", "al", "b1")
    await imkit.room("c", "al", name=7)
    await imkit.room("not-mine", "bo")
    await imkit.sign_in("al")
    return imkit


async def a_moment_later(imkit: Imkit, room: str) -> None:
    """Wait until the next millisecond, so that times differ."""
    began = await imkit.executor.command("TIME", key=room)

    async def passed() -> bool:
        now = await imkit.executor.command("TIME", key=room)
        return [int(part) for part in now] >= [int(began[0]), int(began[1]) + 2000] or int(now[0]) > int(began[0])

    await wait_until(passed, "two milliseconds")


async def listed(imkit: Imkit, **query: Any) -> list[str]:
    """The ids in the answer, in its order."""
    params = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in query.items()}
    return [room["_id"] for room in result(await imkit.as_user("al", "GET", "/rooms/", params=params))["data"]]


async def test_the_newest_message_comes_first(al: Imkit) -> None:
    assert await listed(al) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-lastMessage -createdTime", ["b", "a", "c"]),
        ("lastMessage", ["c", "a", "b"]),
        ("createdTime", ["a", "b", "c"]),
        ("-createdTimeMS", ["c", "b", "a"]),
        ("name", ["c", "a", "b"]),
        ("-unread name", ["a", "c", "b"]),
    ],
)
async def test_sorting(al: Imkit, sort: str, expected: list[str]) -> None:
    assert await listed(al, sort=sort) == expected


async def test_unread_rooms_first(al: Imkit) -> None:
    assert await listed(al, sortUnreadFirst=1) == ["a", "b", "c"]
    assert await listed(al, sortUnreadFirst=0) == ["b", "a", "c"]


async def test_pages(al: Imkit) -> None:
    """`totalCount` counts all pages."""
    assert await listed(al, skip=1, limit=1) == ["a"]
    assert await listed(al, skip=1) == ["a", "c"]
    assert await listed(al, skip=9, limit=1) == []
    assert result(await al.as_user("al", "GET", "/rooms?limit=1"))["totalCount"] == 3


async def test_ids_come_in_pages_too(al: Imkit) -> None:
    assert result(await al.as_user("al", "GET", "/rooms/ids?skip=1&limit=5")) == {"totalCount": 3, "data": ["a", "c"]}


async def test_fields_unread_is_the_same_list(al: Imkit) -> None:
    """They are filtered, sorted and paged in the same way."""
    for query in (
        {},
        {"sort": "name"},
        {"sortUnreadFirst": 1},
        {"skip": 1, "limit": 1},
        {"q": {"roomTags": "work"}},
        {"q": {"name": {"$regex": "bet"}}},
    ):
        assert await listed(al, fields="unread", **query) == await listed(al, **query)
    whole = {room["_id"]: room for room in result(await al.as_user("al", "GET", "/rooms"))["data"]}
    for room in result(await al.as_user("al", "GET", "/rooms?fields=unread"))["data"]:
        expected = whole[room["_id"]]
        assert (room["unread"], room["roomTags"]) == (expected["unread"], expected["roomTags"])
        last = expected.get("lastMessage")
        assert room.get("lastMessage") == (last and {name: last[name] for name in ("_id", "messageTimeMS")})


async def test_fields_unread_says_what_was_read_last_or_when_one_joined(al: Imkit) -> None:
    before = {room["_id"]: room for room in result(await al.as_user("al", "GET", "/rooms?fields=unread"))["data"]}
    created = result(await al.as_user("al", "GET", "/rooms/a"))["createdTimeMS"]
    assert (before["a"].get("lastRead"), before["a"]["joinedAtMS"]) == (None, created)
    assert (before["b"]["lastRead"], before["b"].get("joinedAtMS")) == ("b1", None)  # al's own message
    await al.as_user("al", "PUT", "/rooms/a/lastRead", {"message": "a1"})
    after = {room["_id"]: room for room in result(await al.as_user("al", "GET", "/rooms?fields=unread"))["data"]}
    assert (after["a"]["lastRead"], after["a"]["unread"], after["a"].get("joinedAtMS")) == ("a1", 0, None)


async def test_fields_unread_takes_250_bytes_a_room(imkit: Imkit) -> None:
    """With ids of 36 characters for rooms and 24 for messages, two tags, and a hundred members in
    each.
    """
    members = [f"5be660651a71681534245{number:03x}" for number in range(100)]
    for number in range(20):
        room = f"3f2504e0-4f89-11d3-9a0c-0305e82c{number:04x}"
        await imkit.room(
            room,
            *members,
            tags=("customer-care", "europe"),
            name="A room with a name",
            cover="https://example.com/cover.png",
        )
        for message in range(3):
            await imkit.post(room, members[1], f"5be7edaced649e42234f{number:02x}{message:02x}")
        read = {"message": f"5be7edaced649e42234f{number:02x}00"}
        result(await imkit.as_backend("PUT", f"/rooms/{room}/lastRead", read, user=members[0]))
    answer = await imkit.as_backend("GET", "/rooms?fields=unread", user=members[0])
    assert {room["unread"] for room in result(answer)["data"]} == {2}
    assert len(answer.content) <= 20 * 250


async def test_fields_unread_ends_where_an_answer_does(al: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_list, "MAX_LIST_BYTES", 250)
    answer = result(await al.as_user("al", "GET", "/rooms?fields=unread"))
    assert (answer["totalCount"], [room["_id"] for room in answer["data"]]) == (3, ["b", "a"])
    monkeypatch.setattr(room_list, "MAX_LIST_BYTES", 1)
    assert len(result(await al.as_user("al", "GET", "/rooms?fields=unread"))["data"]) == 1


async def test_updated_after(al: Imkit) -> None:
    last = result(await al.as_user("al", "GET", "/rooms/a"))["lastMessage"]
    for moment in (last["messageTimeMS"], last["messageTime"], last["messageTime"].replace("Z", "+00:00")):
        assert await listed(al, updatedAfter=moment) == ["b", "c"]
    assert await listed(al, updatedAfter=last["messageTimeMS"] - 1) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["b", "a", "c"]),
        ({"members": "al"}, ["b", "a", "c"]),
        ({"members": "al", "roomTags": "eu"}, ["a"]),
        ({"roomTags": "work"}, ["b", "a"]),
        ({"roomTags": "wor"}, []),
        ({"roomTags": {"$in": ["eu", "none"]}}, ["a"]),
        ({"roomTags": {"$in": []}}, []),
        ({"roomTags": {"$all": ["eu", "work"]}}, ["a"]),
        ({"roomTags": {"$all": ["work"], "$in": ["eu"]}}, ["a"]),
        ({"roomTags": {"$all": []}}, []),
        ({"name": {"$regex": "eta"}}, ["b"]),
        ({"name": {"$regex": "alpha"}}, []),
        ({"name": {"$regex": "ALPHA", "$options": "i"}}, ["a"]),
        ({"name": {"$regex": "(1+1)"}}, ["a"]),
        ({"name": {"$regex": "\\(1\\+1\\)"}}, ["a"]),
        ({"name": {"$regex": "(a+)+$"}}, []),
    ],
)
async def test_the_forms_of_q(al: Imkit, query: dict[str, Any], expected: list[str]) -> None:
    assert await listed(al, q=query) == expected


async def test_frozen_rooms_are_not_listed_nor_counted(al: Imkit) -> None:
    """Reading them works meanwhile, and thawing restores them."""
    await al.as_backend("PUT", "/rooms/a", {"status": 0})
    assert (await listed(al), await al.badge("al")) == (["b", "c"], 0)
    await al.as_backend("PUT", "/rooms/a", {"status": 1})
    assert (await listed(al), await al.badge("al")) == (["b", "a", "c"], 1)
    await al.as_backend("PUT", "/rooms/a", {"status": 0})
    answer = await al.as_user("al", "PUT", "/rooms/a/lastRead", {"message": "a1"})
    assert result(answer) == {"client": "al", "lastRead": "a1", "badge": 0, "unread": 0}


async def test_rooms_that_were_left_or_deleted_are_not_listed(al: Imkit) -> None:
    await al.as_user("al", "POST", "/rooms/a/delete/members", {"members": ["al"]})
    await al.as_backend("DELETE", "/rooms/b")
    assert await listed(al) == ["c"]


async def test_preferences_are_accepted(al: Imkit) -> None:
    assert await listed(al, pref={"tags": "x"}) == ["b", "a", "c"]


async def test_a_long_list_leaves_the_store_to_others(al: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rooms are not all asked at once."""
    monkeypatch.setattr(pipelined_connection, "MAX_IN_FLIGHT", 250)
    for number in range(300):
        await al.room(f"r{number}", "al")
    assert len(await listed(al)) == 303


@pytest.mark.parametrize(("bound", "value", "shown"), [("MAX_ROOMS_LISTED", 2, 2), ("MAX_LIST_BYTES", 1, 1)])
async def test_an_answer_ends_at_its_limits_and_skipping_leads_to_the_rest(
    al: Imkit, monkeypatch: pytest.MonkeyPatch, bound: str, value: int, shown: int
) -> None:
    """The answer has this many whatever `limit` says. `totalCount` is the number of all."""
    monkeypatch.setattr(room_list, bound, value)
    for limit in (0, 3):
        answer = result(await al.as_user("al", "GET", f"/rooms?limit={limit}"))
        assert ([room["_id"] for room in answer["data"]], answer["totalCount"]) == (["b", "a"][:shown], 3)
    assert await listed(al, skip=shown) == ["b", "a", "c"][shown:][:shown]


async def test_an_answer_has_at_most_one_mebibyte(al: Imkit) -> None:
    """40 rooms of 40 kB come in several answers, each of them once."""
    long: dict[str, Any] = {f"f{number}": "x" * 4000 for number in range(10)}
    for number in range(40):
        await al.room(f"r{number}", "al", **long)
    seen: list[str] = []
    while True:
        answer = await al.as_user("al", "GET", "/rooms", params={"skip": len(seen)})
        assert len(answer.content) < room_list.MAX_LIST_BYTES + 100
        page = result(answer)["data"]
        if not page:
            break
        seen += [room["_id"] for room in page]
    assert sorted(seen) == sorted(["a", "b", "c", *(f"r{number}" for number in range(40))])


async def test_only_the_rooms_of_the_page_are_fetched(al: Imkit) -> None:
    """Profiles and members of other rooms are not read: a list of 103 rooms reads as many whole
    hashes as one of 3.
    """

    async def hashes_read() -> int:
        await al.executor.command("CONFIG", "RESETSTAT", key="")
        assert len(await listed(al, limit=1)) == 1
        lines = (await al.executor.command("INFO", "commandstats", key="")).decode().splitlines()
        return int(
            next(line for line in lines if line.startswith("cmdstat_hgetall:")).partition("calls=")[2].partition(",")[0]
        )

    before = await hashes_read()
    for number in range(100):
        await al.room(f"r{number}", "al")
    assert await hashes_read() == before


async def test_a_stranger_to_all_rooms_gets_an_empty_list(imkit: Imkit) -> None:
    assert result(await imkit.as_user("cy", "GET", "/rooms")) == {"totalCount": 0, "data": []}
