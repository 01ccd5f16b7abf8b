"""Events to devices, on a service with two workers: who receives what, and in which order."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.support.devices import API_KEY, CLIENT_KEY, QUIET_S, Backend, device, fresh
from tests.support.processes import own_service
from tests.support.servers import Cluster
from tests.support.waiting import wait_until


@pytest.mark.parametrize("encoding", ["", "base64"])
async def test_all_devices_of_all_members_receive_a_read_and_strangers_do_not(backend: Backend, encoding: str) -> None:
    """On whatever worker they are connected."""
    ann, bob, eve = fresh("ann"), fresh("bob"), fresh("eve")
    async with AsyncExitStack() as stack:
        phone, laptop, other, stranger = [
            await stack.enter_async_context(device(backend, user, encoding=encoding)) for user in (ann, ann, bob, eve)
        ]
        room = await backend.room(fresh("room"), ann, bob)
        token = await backend.token(ann)
        messages = [await backend.post(room, bob, f"né {number}") for number in range(5)]
        for message in messages:
            assert (await backend.read(token, room, message))["result"]["lastRead"] == message
        expected = [{"roomID": room, "memberID": ann, "messageID": message} for message in messages]
        for receiver in (phone, laptop, other):
            await receiver.wait_for("lastRead", 10, room)
            receipts = receiver.payloads("lastRead", room)
            assert [receipt for receipt in receipts if receipt["memberID"] == ann] == expected
            assert [receipt["messageID"] for receipt in receipts if receipt["memberID"] == bob] == messages
            assert [message["_id"] for message in receiver.payloads("chat message", room)] == messages
            assert receiver.only_strings == bool(encoding)
        await asyncio.sleep(QUIET_S)
        assert stranger.received == []


async def test_the_posters_receipt_follows_the_message(backend: Backend) -> None:
    """It is how clients learn that the own message is read."""
    ann = fresh("ann")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        message = await backend.post(room, ann)
        await phone.wait_for("lastRead", 1, room)
        assert [name for name, _ in phone.received if name != "room"] == ["chat message", "lastRead"]
        assert phone.payloads("lastRead") == [{"roomID": room, "memberID": ann, "messageID": message}]


async def test_a_repeated_or_older_read_is_not_announced(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, bob) as other:
        room = await backend.room(fresh("room"), ann, bob)
        first, second = await backend.post(room, bob), await backend.post(room, bob)
        token = await backend.token(ann)
        for message in (second, second, first):
            assert (await backend.read(token, room, message))["result"]["lastRead"] == second
        third = await backend.post(room, bob)
        await backend.read(token, room, third)
        await other.wait_for("lastRead", 5, room)
        assert [told["messageID"] for told in other.payloads("lastRead", room) if told["memberID"] == ann] == [
            second,
            third,
        ]


async def test_a_message_is_pushed_as_http_answers_it(backend: Backend) -> None:
    """As in docs.imkit.io, chat message, and with all other fields that the backend sent."""
    ann = fresh("ann")
    token = await backend.token(ann)
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        body = {"message": "né \U0001f600", "messageType": "text", "extra": {"deep": [1, 2.5, None]}}
        answer = await backend.call("POST", f"/rooms/{room}/message", body, token=token)
        pushed = (await phone.wait_for("chat message", 1, room))[0]
    assert pushed == answer["result"]
    assert pushed["id"] == pushed["_id"]
    assert (pushed["sender"]["_id"], pushed["sender"]["nickname"]) == (ann, f"né {ann}")
    assert (pushed["extra"], pushed["message"]) == (body["extra"], body["message"])
    assert pushed["messageTimeMS"] == pushed["createdAtMS"] > 1_600_000_000_000


async def test_an_edit_and_a_recall_are_pushed_under_the_same_id(backend: Backend) -> None:
    ann = fresh("ann")
    token = await backend.token(ann)
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        message = await backend.post(room, ann)
        await backend.call(
            "POST", f"/rooms/{room}/message", {"_id": message, "message": "better", "messageType": "text"}, token=token
        )
        await backend.call("POST", f"/rooms/{room}/message", {"_id": message, "messageType": "recall"}, token=token)
        pushed = await phone.wait_for("chat message", 3, room)
    assert [(told["_id"], told["messageType"], told["message"]) for told in pushed] == [
        (message, "text", "hello"),
        (message, "text", "better"),
        (message, "recall", ""),
    ]


async def test_deletions_of_messages_are_pushed(backend: Backend) -> None:
    ann = fresh("ann")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        message = await backend.post(room, ann)
        await backend.post(room, ann)
        last = await backend.post(room, ann)
        await backend.call("DELETE", f"/rooms/{room}/messages/{message}")
        await backend.call("DELETE", f"/rooms/{room}/messages?before={last}")
        await backend.call("DELETE", f"/rooms/{room}/messages/_all")
        told = await phone.wait_for("messageDeleted", 3, room)
    assert told == [
        {"room": room, "messageID": message},
        {"room": room, "messageID": "_before", "before": last},
        {"room": room, "messageID": "_all"},
    ]


@pytest.fixture(params=["one server", "cluster"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A service on one server, and one on a cluster."""
    if request.param == "one server":
        yield request.getfixturevalue("live").url
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    settings = {"redis_url": cluster.url, "workers": 2, "api_key": API_KEY, "client_key": CLIENT_KEY, "fanout_limit": 3}
    with own_service(**settings) as process:
        yield process.url


@pytest.mark.parametrize("others", [0, 4], ids=["a few", "above the fan-out limit of the cluster"])
async def test_a_user_who_is_out_of_a_room_is_told_on_all_devices_with_the_new_badge(url: str, others: int) -> None:
    """Removed, left, deleted: a last `room` event with `left`, and the badge without that room."""
    ann, ben = fresh("ann"), fresh("ben")
    crowd = [fresh("crowd") for _ in range(others)]
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(Backend(url))
        phone, laptop = [await stack.enter_async_context(device(backend, ben)) for _ in range(2)]
        token, rooms = await backend.token(ben), [await backend.room(fresh("room"), ann, ben, *crowd) for _ in range(7)]
        for room in rooms:
            await backend.post(room, ann)
        for number, room in enumerate(rooms[:6]):
            if number % 3 == 0:
                await backend.remove(room, ben)
            elif number % 3 == 1:
                await backend.call("POST", f"/rooms/{room}/delete/members", {"members": [ben]}, token=token)
            else:
                await backend.call("DELETE", f"/rooms/{room}")
            last = {"_id": room, "id": room, "appID": "default", "members": [], "partial": True, "left": True}
            last |= ({"deleted": True} if number % 3 == 2 else {}) | {"unread": 0, "badge": 6 - number}
            for receiver in (phone, laptop):
                await receiver.wait_for_payload("room", last)
        await backend.post(rooms[0], ann)
        message = await backend.post(rooms[6], ann)
        for receiver in (phone, laptop):
            await receiver.wait_for("chat message", 2, rooms[6])
            assert receiver.received[-1][1].get("_id", message) == message
            assert [told for told in receiver.received if rooms[0] in str(told)][-1][1]["left"]


async def test_the_other_members_receive_the_room_as_it_is_now(backend: Backend) -> None:
    ann, ben = fresh("ann"), fresh("ben")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann, ben)
        await phone.wait_for("room", 1, room)
        await backend.remove(room, ben)
        told = (await phone.wait_for("room", 2, room))[-1]
    assert [member["_id"] for member in told["members"]] == [ann]
    assert "left" not in told


async def test_a_changed_room_is_pushed_without_personal_fields(backend: Backend) -> None:
    """Clients read `members` as objects, and would take `unread` for their own."""
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann, bob)
        await backend.call("PUT", f"/rooms/{room}", {"roomTags": ["work"], "name": "né"})

        async def renamed() -> bool:
            return any(
                told.get("name") == "né" and told["roomTags"] == ["work"] for told in phone.payloads("room", room)
            )

        await wait_until(renamed, "the room's new name")
        told = phone.payloads("room", room)[-1]
    assert sorted(member["_id"] for member in told["members"]) == sorted([ann, bob])
    assert not {"memberProperties", "unread", "muted", "pref", "isSuperuser", "isMentioned"} & told.keys()


async def test_a_removed_member_receives_nothing_more_and_a_new_one_receives_at_once(backend: Backend) -> None:
    ann, bob, cid = fresh("ann"), fresh("bob"), fresh("cid")
    async with device(backend, ann) as stays, device(backend, bob) as leaves, device(backend, cid) as comes:
        room = await backend.room(fresh("room"), ann, bob)
        before = await backend.post(room, ann)
        await leaves.wait_for("lastRead", 1, room)
        await backend.remove(room, bob)
        await backend.add(room, cid)
        after = await backend.post(room, ann)
        for receiver in (stays, comes):
            await receiver.wait_for("lastRead", 1 if receiver is comes else 2, room)
        await asyncio.sleep(QUIET_S)
        assert [message["_id"] for message in stays.payloads("chat message", room)] == [before, after]
        assert [message["_id"] for message in leaves.payloads("chat message", room)] == [before]
        assert [message["_id"] for message in comes.payloads("chat message", room)] == [after]


async def test_members_of_a_deleted_room_receive_nothing_more(backend: Backend) -> None:
    """A new room with the same id has its own members."""
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as old, device(backend, bob) as new:
        room = await backend.room(fresh("room"), ann)
        await backend.call("DELETE", f"/rooms/{room}")
        await backend.room(room, bob)
        message = await backend.post(room, bob)
        await new.wait_for("lastRead", 1, room)
        await asyncio.sleep(QUIET_S)
        assert old.payloads("chat message", room) == []
        assert [told["_id"] for told in new.payloads("chat message", room)] == [message]
