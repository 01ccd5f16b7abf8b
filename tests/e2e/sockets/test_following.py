"""Following the read state over a socket: the events `sync`, `badge` and `watch`."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.devices import API_KEY, CLIENT_KEY, QUIET_S, Backend, Device, device, faults, fresh
from tests.support.processes import ServiceProcess
from tests.support.servers import Server, short_directory
from tests.support.waiting import wait_until


async def sync(phone: Device, **content: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await phone.client.call("sync", content, timeout=10)
    assert answer["RC"] == 0, answer
    return dict(answer["result"])


async def told(phone: Device, room: str, unread: int) -> dict[str, Any]:
    """The newest `badge` event of a room, once that says `unread`."""

    async def arrived() -> bool:
        events = phone.payloads("badge", room)
        return bool(events) and events[-1]["unread"] == unread

    await wait_until(arrived, f"unread {unread} in {room} (received: {phone.payloads('badge')[-3:]})")
    return dict(phone.payloads("badge", room)[-1])


async def test_sync_answers_what_http_answers(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    token = await backend.token(ann)
    rooms = [await backend.room(fresh("room"), ann, bob) for _ in range(3)]
    async with device(backend, ann, encoding="base64") as phone:
        first: dict[str, Any] = await phone.client.call("sync", timeout=10)
        assert first == await backend.call("GET", "/me/readState", token=token)
        assert (first["result"]["snapshot"], len(first["result"]["rooms"])) == (True, 3)
        await backend.post(rooms[1], bob)
        since = first["result"]["version"]
        second = await sync(phone, since=since)
        assert second == (await backend.call("GET", f"/me/readState?since={since}", token=token))["result"]
        assert [room["_id"] for room in second["rooms"]] == [rooms[1]]
        page = await sync(phone, limit=2)
        assert (page["more"], len(page["rooms"])) == (True, 2)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"since": "nonsense"}, "INVALID_QUERY"),
        ({"since": 7}, "INVALID_BODY"),
        ({"limit": 0}, "INVALID_BODY"),
        ([], "INVALID_BODY"),
    ],
)
async def test_a_wrong_sync_is_refused(backend: Backend, content: object, code: str) -> None:
    async with device(backend, fresh("ann")) as phone:
        answer = await phone.call("sync", content)
        assert (answer["RC"], answer["error"]["code"]) == (400, code)


async def test_a_socket_watches_the_rooms_that_it_shows(backend: Backend) -> None:
    """It hears `lastRead` of these, and everywhere of what its own user reads, and all else."""
    ann, bob = fresh("ann"), fresh("bob")
    token, other_token = await backend.token(ann), await backend.token(bob)
    shown, hidden = [await backend.room(fresh("room"), ann, bob) for _ in range(2)]
    async with device(backend, ann) as phone:
        assert (await phone.call("watch", {"rooms": [shown]}))["result"] == {"rooms": [shown]}
        messages = [await backend.post(room, "backend") for room in (shown, hidden)]
        for reader in (other_token, token):
            for room, message in zip((shown, hidden), messages, strict=True):
                await backend.read(reader, room, message)
        await phone.wait_for_payload("lastRead", {"roomID": hidden, "memberID": ann, "messageID": messages[1]})
        heard = [(told["roomID"], told["memberID"]) for told in phone.payloads("lastRead")]
        assert heard == [(shown, bob), (shown, ann), (hidden, ann)]
        assert [told["_id"] for told in phone.payloads("chat message")] == messages
        assert (await phone.call("watch", {"rooms": None}))["result"] == {"rooms": None}
        message = await backend.post(hidden, bob)
        await phone.wait_for_payload("lastRead", {"roomID": hidden, "memberID": bob, "messageID": message})


@pytest.mark.parametrize("content", [None, {}, {"rooms": "r"}, {"rooms": [1]}, {"rooms": ["r"] * 101}])
async def test_a_wrong_watch_is_refused(backend: Backend, content: object) -> None:
    async with device(backend, fresh("ann")) as phone:
        answer = await phone.call("watch", content)
        assert (answer["RC"], answer["error"]["code"]) == (400, "INVALID_BODY")


@pytest.mark.parametrize("way", ["handshake", "auth2"])
async def test_each_change_is_told_to_the_devices_that_ask_for_it(backend: Backend, way: str) -> None:
    """Posts, reads on another device, deleted messages, tags, a count set by the backend, a silent
    back-filled post, joining, freezing and leaving. Each event follows from the one before.
    """
    ann, bob = fresh("ann"), fresh("bob")
    token = await backend.token(ann)
    room = await backend.room(fresh("room"), ann, bob)
    connection: dict[str, Any] = {"auth": {"token": token, "badge": True}} if way == "handshake" else {}
    async with device(backend, **connection) as phone, device(backend, ann) as other:
        if way == "auth2":
            assert (await phone.call("auth2", (token, {"badge": True})))["RC"] == 0
        version = (await sync(phone))["version"]
        first = await backend.post(room, bob)
        assert await told(phone, room, 1) == {
            "since": version,
            "version": phone.payloads("badge")[-1]["version"],
            "badge": 1,
            "room": room,
            "unread": 1,
            "tags": [],
        }
        second = await backend.post(room, bob)
        await told(phone, room, 2)
        await backend.read(token, room, first)
        await told(phone, room, 1)
        await backend.call("DELETE", f"/rooms/{room}/messages/{second}")
        await told(phone, room, 0)
        await backend.call(
            "POST",
            "/messages",
            {"room": room, "sender": bob, "message": "x", "messageType": "text", "notify": False},
        )
        assert (await told(phone, room, 1))["badge"] == 1
        await backend.call("PUT", f"/rooms/{room}", {"roomTags": ["work"]})
        await wait_until(lambda: tags_are(phone, ["work"]), "the tags")
        third = await backend.room(fresh("room"), ann, bob)
        assert (await told(phone, third, 0))["badge"] == 1
        await backend.call("PUT", f"/rooms/{room}", {"status": 0})
        assert (await told(phone, room, 0)) | {"since": "", "version": ""} == {
            "since": "",
            "version": "",
            "badge": 0,
            "room": room,
            "unread": 0,
            "tags": [],
            "removed": True,
        }
        await backend.remove(third, ann)
        await wait_until(lambda: is_removed(phone, third), "the room to be gone")
        events = phone.payloads("badge")
        for event in events:
            assert event["since"] == version
            version = event["version"]
        assert (await sync(phone, since=version))["rooms"] == []
        assert other.payloads("badge") == []


async def tags_are(phone: Device, tags: list[str]) -> bool:
    return bool(phone.payloads("badge")[-1]["tags"] == tags)


async def is_removed(phone: Device, room: str) -> bool:
    return bool(phone.payloads("badge", room)[-1].get("removed"))


async def test_a_user_who_had_no_room_is_told_to_ask_and_then_of_each_change(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, auth={"token": await backend.token(ann), "badge": True}) as phone:
        room = await backend.room(fresh("room"), ann, bob)
        await phone.wait_for("sync")
        version = (await sync(phone))["version"]
        await backend.post(room, bob)
        assert (await told(phone, room, 1))["since"] >= version


async def test_a_device_that_pays_no_attention_is_told_all_the_same(backend: Backend) -> None:
    """Many posts come together: few events, and the newest is right."""
    ann, bob = fresh("ann"), fresh("bob")
    room = await backend.room(fresh("room"), ann, bob)
    async with device(backend, auth={"token": await backend.token(ann), "badge": True}) as phone:
        for count in (200, 400):
            await backend.batch(room, bob, 200)
            await told(phone, room, count)
        assert len(phone.payloads("badge")) < 40


async def test_following_ends_when_the_client_says_so(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    token = await backend.token(ann)
    room = await backend.room(fresh("room"), ann, bob)
    async with device(backend, auth={"token": token, "badge": True}) as phone:
        assert (await phone.call("auth2", (token, {})))["RC"] == 0  # says nothing of it
        await backend.post(room, bob)
        await told(phone, room, 1)
        assert (await phone.call("auth2", (token, {"badge": False})))["RC"] == 0
        await backend.post(room, bob)
        await phone.wait_for("chat message", 2, room)
        await asyncio.sleep(QUIET_S)
        assert len(phone.payloads("badge")) == 1


async def test_after_a_gap_devices_that_follow_stay_and_are_told() -> None:
    with short_directory() as directory:
        server = Server(directory / "store")
        server.start()
        settings = {"workers": 1, "redis_url": server.url, "api_key": API_KEY, "client_key": CLIENT_KEY}
        with ServiceProcess(directory / "data", **settings) as process:
            async with Backend(process.url) as backend, AsyncExitStack() as stack:
                room = await backend.room("room", "ann", "bob")
                token = await backend.token("ann")
                phone = await stack.enter_async_context(device(backend, auth={"token": token, "badge": True}))
                since = (await sync(phone))["version"]
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                await phone.wait_for("sync")
                message = await backend.post(room, "bob")
                await phone.wait_for_payload("lastRead", {"roomID": room, "memberID": "bob", "messageID": message})
                await told(phone, room, 1)
                assert [one["_id"] for one in (await sync(phone, since=since))["rooms"]] == [room]
                assert (phone.client.connected, len(phone.payloads("sync"))) == (True, 1)
        assert faults(process) == []
        server.stop()
