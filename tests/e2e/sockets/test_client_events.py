"""Events of clients, over a websocket: the same as the calls of the HTTP API."""

from typing import Any

import pytest

from tests.support.devices import Backend, device, fresh, reached
from tests.support.waiting import wait_until


async def test_a_message_over_the_socket_is_a_message_over_http(backend: Backend) -> None:
    """The ack is a plain object in base64 mode too."""
    ann = fresh("ann")
    async with device(backend, ann, encoding="base64") as phone:
        room = await backend.room(fresh("room"), ann)
        answer = await phone.client.call(
            "chat message", {"room": room, "messageType": "text", "message": "né"}, timeout=10
        )
        assert answer["RC"] == 0
        assert (await phone.wait_for("chat message", 1, room))[0] == answer["result"]
        state = await backend.call("GET", f"/rooms/{room}", token=await backend.token(ann))
        assert state["result"]["lastMessage"]["_id"] == answer["result"]["_id"]


async def test_reading_over_the_socket_is_reading_over_http(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as phone, device(backend, bob) as other:
        room = await backend.room(fresh("room"), ann, bob)
        message = await backend.post(room, bob)
        answer = await phone.call("lastRead", {"room": room, "message": message})
        assert answer == {"RC": 0, "RM": "OK", "result": {"client": ann, "lastRead": message, "badge": 0, "unread": 0}}
        assert (await other.wait_for("lastRead", 2, room))[-1] == {
            "roomID": room,
            "memberID": ann,
            "messageID": message,
        }


@pytest.mark.parametrize(
    ("event", "content", "rc", "code"),
    [
        ("chat message", None, 400, "MISSING_PARAMETER"),
        ("chat message", {"message": "hello"}, 400, "MISSING_PARAMETER"),
        ("chat message", {"room": 1}, 400, "MISSING_PARAMETER"),
        ("chat message", {"room": "nowhere", "message": "hello"}, 403, "NOT_ROOM_MEMBER"),
        ("chat message", {"room": "nowhere", "messageType": 7}, 400, "INVALID_BODY"),
        ("lastRead", {"room": "nowhere"}, 400, "MISSING_PARAMETER"),
        ("lastRead", {"room": "nowhere", "message": ""}, 400, "MISSING_PARAMETER"),
        ("lastRead", {"room": "nowhere", "message": "x"}, 404, "ROOM_NOT_FOUND"),
        ("lastRead", [], 400, "MISSING_PARAMETER"),
    ],
)
async def test_what_cannot_be_done_is_answered_as_over_http(
    backend: Backend, event: str, content: object, rc: int, code: str
) -> None:
    async with device(backend, fresh("ann")) as phone:
        answer = await phone.call(event, content)
        assert (answer["RC"], answer["error"]["code"]) == (rc, code)
        assert phone.client.connected


# Before auth2


async def test_events_before_auth2_are_held_and_processed_in_order(backend: Backend) -> None:
    """Socket.IO's clients send offline events before the program can authenticate."""
    ann, count = fresh("ann"), 150
    token = await backend.token(ann)
    room = await backend.room(fresh("room"), ann)
    messages = await backend.batch(room, fresh("bob"), count)
    async with device(backend) as phone:
        acks: list[dict[str, object]] = []
        for message in messages:
            await phone.client.emit("lastRead", {"room": room, "message": message}, callback=acks.append)
        assert (await phone.authenticate(token))["RC"] == 0
        await wait_until(lambda: reached(acks, count), "all acks")
        assert [ack["RC"] for ack in acks] == [0] * count
        receipts = [told["messageID"] for told in await phone.wait_for("lastRead", count, room)]
        assert receipts == messages
        assert phone.client.connected


@pytest.mark.parametrize("token", ["nonsense", ""])
async def test_events_before_a_failing_auth2_are_answered_with_a_code_of_their_own(
    backend: Backend, token: str
) -> None:
    """With the code of an ended token, clients would log their user out."""
    async with device(backend) as phone:
        acks: list[dict[str, Any]] = []
        for event in ("chat message", "lastRead"):
            await phone.client.emit(event, {"room": "r", "message": "m"}, callback=acks.append)
        assert (await phone.authenticate(token))["RC"] == 401
        await phone.wait_until_closed()
        assert [(ack["RC"], ack["error"]["code"]) for ack in acks] == [(425, "NOT_AUTHENTICATED")] * 2


async def test_only_so_many_events_are_held_before_auth2(backend: Backend) -> None:
    """64 KiB: further events are refused at once, and the held ones are still processed."""
    ann = fresh("ann")
    token = await backend.token(ann)
    async with device(backend) as phone:
        acks: list[dict[str, Any]] = []
        for _ in range(3):
            await phone.client.emit("lastRead", {"room": "r" * 30_000, "message": "m"}, callback=acks.append)
        await wait_until(lambda: reached(acks, 1), "an answer")
        assert [ack["error"]["code"] for ack in acks] == ["NOT_AUTHENTICATED"]
        assert (await phone.authenticate(token))["RC"] == 0
        await wait_until(lambda: reached(acks, 3), "the other answers")
        assert [ack["RC"] for ack in acks] == [425, 404, 404]
