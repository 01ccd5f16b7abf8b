"""Socket.IO as PyPI's client sees it, on a service with two workers: who hears what, in which order, and how connections begin and end."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest
import socketio
import websockets

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, Device, device, faults
from tests.support.processes import ServiceProcess
from tests.support.servers import Cluster, Server, short_directory
from tests.support.waiting import wait_until

QUIET_S = 0.3  # what has not come after this long is not coming


def fresh(name: str) -> str:
    """A room or user of one test."""
    return f"{name}-{secrets.token_hex(4)}"


@pytest.mark.parametrize("encoding", ["", "base64"])
async def test_everybody_hears_who_has_read_how_far_and_nobody_else_does(backend: Backend, encoding: str) -> None:
    """Two devices of the reader and another member, wherever they are connected; not a stranger."""
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
        for hearer in (phone, laptop, other):
            await hearer.until("lastRead", 10, room)
            told = hearer.told("lastRead", room)
            assert [receipt for receipt in told if receipt["memberID"] == ann] == expected
            assert [receipt["messageID"] for receipt in told if receipt["memberID"] == bob] == messages
            assert [message["_id"] for message in hearer.told("chat message", room)] == messages
            assert hearer.strings_only == bool(encoding)
        await asyncio.sleep(QUIET_S)
        assert stranger.heard == []


async def test_the_posters_receipt_follows_the_message(backend: Backend) -> None:
    """Clients get no receipt for an own message otherwise (ruling R23)."""
    ann = fresh("ann")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        message = await backend.post(room, ann)
        await phone.until("lastRead", 1, room)
        assert [name for name, _ in phone.heard if name != "room"] == ["chat message", "lastRead"]
        assert phone.told("lastRead") == [{"roomID": room, "memberID": ann, "messageID": message}]


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
        await other.until("lastRead", 5, room)
        assert [told["messageID"] for told in other.told("lastRead", room) if told["memberID"] == ann] == [
            second,
            third,
        ]


async def test_a_message_is_pushed_as_http_answers_it(backend: Backend) -> None:
    """docs.imkit.io, chat message: `_id` and `id`, the sender as an object, the times; and whatever else the backend sent."""
    ann = fresh("ann")
    token = await backend.token(ann)
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        body = {"message": "né \U0001f600", "messageType": "text", "extra": {"deep": [1, 2.5, None]}}
        answer = await backend.call("POST", f"/rooms/{room}/message", body, token=token)
        pushed = (await phone.until("chat message", 1, room))[0]
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
        pushed = await phone.until("chat message", 3, room)
    assert [(told["_id"], told["messageType"], told["message"]) for told in pushed] == [
        (message, "text", "hello"),
        (message, "text", "better"),
        (message, "recall", ""),
    ]


async def test_a_deleted_message_and_an_emptied_room_are_told(backend: Backend) -> None:
    ann = fresh("ann")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann)
        message = await backend.post(room, ann)
        await backend.post(room, ann)
        last = await backend.post(room, ann)
        await backend.call("DELETE", f"/rooms/{room}/messages/{message}")
        await backend.call("DELETE", f"/rooms/{room}/messages?before={last}")
        await backend.call("DELETE", f"/rooms/{room}/messages/_all")
        told = await phone.until("messageDeleted", 3, room)
    assert told == [
        {"room": room, "messageID": message},
        {"room": room, "messageID": "_before", "before": last},
        {"room": room, "messageID": "_all"},
    ]


@pytest.fixture(params=["one server", "cluster"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A service on either plan."""
    if request.param == "one server":
        yield request.getfixturevalue("live").url
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    settings = {"redis_url": cluster.url, "workers": 2, "api_key": API_KEY, "client_key": CLIENT_KEY, "fanout_limit": 3}
    with short_directory() as directory, ServiceProcess(directory / "data", **settings) as process:
        yield process.url


@pytest.mark.parametrize("others", [0, 4], ids=["a few", "above the fan-out limit of the cluster"])
async def test_who_is_out_of_a_room_hears_so_on_all_devices_with_the_new_badge(url: str, others: int) -> None:
    """Taken out, left, deleted: `left` in a last `room` event, and the badge without what was unread there."""
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
            for hearer in (phone, laptop):
                await hearer.until_heard("room", last)
        await backend.post(rooms[0], ann)
        message = await backend.post(rooms[6], ann)
        for hearer in (phone, laptop):
            await hearer.until("chat message", 2, rooms[6])
            assert hearer.heard[-1][1].get("_id", message) == message
            assert [told for told in hearer.heard if rooms[0] in str(told)][-1][1]["left"]


async def test_who_stays_hears_the_room_as_it_is_now(backend: Backend) -> None:
    ann, ben = fresh("ann"), fresh("ben")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann, ben)
        await phone.until("room", 1, room)
        await backend.remove(room, ben)
        told = (await phone.until("room", 2, room))[-1]
    assert [member["_id"] for member in told["members"]] == [ann]
    assert "left" not in told


async def test_a_changed_room_is_told_without_what_is_personal(backend: Backend) -> None:
    """docs.imkit.io, room: clients read `members` as objects, and would take `unread` for their own."""
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as phone:
        room = await backend.room(fresh("room"), ann, bob)
        await backend.call("PUT", f"/rooms/{room}", {"roomTags": ["work"], "name": "né"})

        async def renamed() -> bool:
            return any(told.get("name") == "né" and told["roomTags"] == ["work"] for told in phone.told("room", room))

        await wait_until(renamed, "the room's new name")
        told = phone.told("room", room)[-1]
    assert sorted(member["_id"] for member in told["members"]) == sorted([ann, bob])
    assert not {"memberProperties", "unread", "muted", "pref", "isSuperuser", "isMentioned"} & told.keys()


async def test_a_removed_member_hears_nothing_more_and_a_new_one_hears_at_once(backend: Backend) -> None:
    ann, bob, cid = fresh("ann"), fresh("bob"), fresh("cid")
    async with device(backend, ann) as stays, device(backend, bob) as leaves, device(backend, cid) as comes:
        room = await backend.room(fresh("room"), ann, bob)
        before = await backend.post(room, ann)
        await leaves.until("lastRead", 1, room)
        await backend.remove(room, bob)
        await backend.add(room, cid)
        after = await backend.post(room, ann)
        for hearer in (stays, comes):
            await hearer.until("lastRead", 1 if hearer is comes else 2, room)
        await asyncio.sleep(QUIET_S)
        assert [message["_id"] for message in stays.told("chat message", room)] == [before, after]
        assert [message["_id"] for message in leaves.told("chat message", room)] == [before]
        assert [message["_id"] for message in comes.told("chat message", room)] == [after]


async def test_a_deleted_room_falls_silent(backend: Backend) -> None:
    """Under the same id a new room begins, with members of its own."""
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as old, device(backend, bob) as new:
        room = await backend.room(fresh("room"), ann)
        await backend.call("DELETE", f"/rooms/{room}")
        await backend.room(room, bob)
        message = await backend.post(room, bob)
        await new.until("lastRead", 1, room)
        await asyncio.sleep(QUIET_S)
        assert old.told("chat message", room) == []
        assert [told["_id"] for told in new.told("chat message", room)] == [message]


# Saying something


async def test_a_message_over_the_socket_is_a_message_over_http(backend: Backend) -> None:
    """The ack is a plain object even in base64 mode (ruling R31)."""
    ann = fresh("ann")
    async with device(backend, ann, encoding="base64") as phone:
        room = await backend.room(fresh("room"), ann)
        answer = await phone.client.call(
            "chat message", {"room": room, "messageType": "text", "message": "né"}, timeout=10
        )
        assert answer["RC"] == 0
        assert (await phone.until("chat message", 1, room))[0] == answer["result"]
        state = await backend.call("GET", f"/rooms/{room}", token=await backend.token(ann))
        assert state["result"]["lastMessage"]["_id"] == answer["result"]["_id"]


async def test_reading_over_the_socket_is_reading_over_http(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as phone, device(backend, bob) as other:
        room = await backend.room(fresh("room"), ann, bob)
        message = await backend.post(room, bob)
        answer = await phone.ask("lastRead", {"room": room, "message": message})
        assert answer == {"RC": 0, "RM": "OK", "result": {"client": ann, "lastRead": message, "badge": 0, "unread": 0}}
        assert (await other.until("lastRead", 2, room))[-1] == {"roomID": room, "memberID": ann, "messageID": message}


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
        answer = await phone.ask(event, content)
        assert (answer["RC"], answer["error"]["code"]) == (rc, code)
        assert phone.client.connected


# Before auth2


async def test_what_is_said_before_auth2_waits_for_it_and_is_done_in_order(backend: Backend) -> None:
    """Socket.IO's clients send what was said while they were offline before the program may authenticate."""
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
        receipts = [told["messageID"] for told in await phone.until("lastRead", count, room)]
        assert receipts == messages
        assert phone.client.connected


async def reached(things: list[Any], count: int) -> bool:
    return len(things) >= count


@pytest.mark.parametrize("token", ["nonsense", ""])
async def test_what_was_said_before_an_auth2_that_fails_has_a_code_of_its_own(backend: Backend, token: str) -> None:
    """Not that of a token that has ended: clients would log their user out."""
    async with device(backend) as phone:
        acks: list[dict[str, Any]] = []
        for event in ("chat message", "lastRead"):
            await phone.client.emit(event, {"room": "r", "message": "m"}, callback=acks.append)
        assert (await phone.authenticate(token))["RC"] == 401
        await phone.until_closed()
        assert [(ack["RC"], ack["error"]["code"]) for ack in acks] == [(425, "NOT_AUTHENTICATED")] * 2


async def test_so_much_waits_for_auth2_and_no_more(backend: Backend) -> None:
    """64 KiB: what is more is refused at once, and the rest is still done."""
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


# A token in the handshake


async def test_a_token_in_the_handshake_is_as_good_as_auth2(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, auth={"token": await backend.token(ann), "IM-CLIENT-KEY": CLIENT_KEY}) as phone:
        room = await backend.room(fresh("room"), ann, bob)
        message = await backend.post(room, bob)
        assert (await phone.ask("lastRead", {"room": room, "message": message}))["RC"] == 0
        assert (await phone.until("lastRead", 2, room))[-1] == {"roomID": room, "memberID": ann, "messageID": message}
        assert (await phone.authenticate(await backend.token(bob)))["result"] == {"client": bob}


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        ({"token": "nonsense"}, "INVALID_TOKEN"),
        ({"token": ""}, "INVALID_TOKEN"),
        ({"token": 7}, "INVALID_TOKEN"),
        ({"token": "nonsense", "CLIENT_KEY": "wrong"}, "INVALID_CLIENT_KEY"),
    ],
)
async def test_a_bad_token_in_the_handshake_is_told_by_an_object(
    backend: Backend, auth: dict[str, Any], code: str
) -> None:
    """`message` is what Socket.IO's clients show, `data` what `auth2` would answer."""
    phone = Device(backend)
    errors: list[dict[str, Any]] = []
    phone.client.on("connect_error", errors.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await phone.connect(auth=auth)
    await phone.until_closed()
    await phone.close()
    (error,) = errors
    assert error["data"]["error"] == {"code": code, "message": error["message"]}


async def test_after_a_bad_token_the_same_connection_may_bring_a_good_one(backend: Backend) -> None:
    """Closed it would be opened again by some clients, with the same token, for ever."""
    token = await backend.token(fresh("ann"))
    url = backend.url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(url, compression=None) as connection:
        await connection.recv()
        for one, beginning in (("nonsense", '44{"message":'), (token, "40{"), ("nonsense", "431[")):
            await connection.send(f'40{{"token":"{one}"}}')
            await connection.send('421["conf",{"encoding":"rot13"}]')
            assert str(await connection.recv()).startswith(beginning)


async def test_a_handshake_without_a_token_leaves_auth2_to_come(backend: Backend) -> None:
    for auth in ({}, {"token": None}, {"device": "7"}):
        async with device(backend, auth=auth) as phone:
            assert (await phone.authenticate(await backend.token(fresh("ann"))))["RC"] == 0


# How a connection begins


async def test_the_order_of_conf_and_auth2_is_free(backend: Backend) -> None:
    """auth2 before conf, twice, without an ack, with the old name, and stray events in between (ruling R32 to R34)."""
    ann = fresh("ann")
    token = await backend.token(ann)
    room = await backend.room(fresh("room"), ann)
    async with device(backend) as phone:
        await phone.client.emit("pong", None)
        assert await phone.authenticate(token) == {"RC": 0, "RM": "OK", "result": {"client": ann}}
        await phone.client.emit("auth2", (token, {}))
        assert (await phone.authenticate(token, "auth"))["RC"] == 0
        first = await backend.post(room, ann)
        await phone.until("chat message", 1, room)
        assert (
            await phone.client.call("conf", {"encoding": "base64"})
            == "eyJSQyI6MCwiUk0iOiJPSyIsInJlc3VsdCI6eyJlbmNvZGluZyI6ImJhc2U2NCJ9fQ=="
        )
        phone.strings_only = True
        second = await backend.post(room, ann)
        assert [told["_id"] for told in await phone.until("chat message", 2, room)] == [first, second]
        assert phone.strings_only


@pytest.mark.parametrize(
    "wish", [{"encoding": "custom"}, {"encoding": "rot13"}, {"encoding": None}, {}, None, "base64", ["base64"]]
)
async def test_an_encoding_that_we_do_not_speak_changes_nothing(backend: Backend, wish: object) -> None:
    async with device(backend, fresh("ann"), encoding="base64") as phone:
        answer = await phone.client.call("conf", wish, timeout=10)
        assert isinstance(answer, str)
        assert (phone.decode(answer)["RC"], phone.decode(answer)["error"]["code"]) == (400, "UNSUPPORTED_ENCODING")


@pytest.mark.parametrize("encoding", ["", "base64"])
@pytest.mark.parametrize("token", ["nonsense", "", None, 7, {"a": 1}, "x" * 50_000, "e30.e30.e30"])
async def test_a_bad_token_is_told_and_the_connection_closed(backend: Backend, token: object, encoding: str) -> None:
    """The ack comes first, in the encoding that was asked for: Flutter reads RC 401 in it before the close."""
    async with device(backend, encoding=encoding) as phone:
        answer = await phone.ask("auth2", (token, {"IM-CLIENT-KEY": CLIENT_KEY}))
        assert answer == {
            "RC": 401,
            "RM": "Unauthorized",
            "error": {"code": "INVALID_TOKEN", "message": "Invalid or expired token"},
        }
        await phone.until_closed()


async def test_a_bad_token_without_an_ack_closes_too(backend: Backend) -> None:
    async with device(backend) as phone:
        await phone.client.emit("auth2", ("nonsense", {"CLIENT_KEY": CLIENT_KEY, "Authorization": "nonsense"}))
        await phone.until_closed()


@pytest.mark.parametrize("extra", [{"IM-CLIENT-KEY": "wrong"}, {"CLIENT_KEY": "wrong"}, {"IM-CLIENT-KEY": 7}])
async def test_a_wrong_client_key_is_no_401(backend: Backend, extra: object) -> None:
    """Clients answer a 401 by fetching a new token, and would do so for ever."""
    async with device(backend) as phone:
        answer = await phone.ask("auth2", (await backend.token(fresh("ann")), extra))
        assert (answer["RC"], answer["error"]["code"]) == (403, "INVALID_CLIENT_KEY")
        await phone.until_closed()


@pytest.mark.parametrize(
    "extra", [{}, None, "device-7", {"deviceId": "7"}, {"CLIENT_KEY": CLIENT_KEY}, {"im-client-key": CLIENT_KEY}]
)
async def test_the_client_key_is_optional_and_goes_by_any_of_its_names(backend: Backend, extra: object) -> None:
    async with device(backend) as phone:
        assert (await phone.ask("auth2", (await backend.token(fresh("ann")), extra)))["RC"] == 0


async def test_the_client_key_of_the_handshake_is_checked(backend: Backend) -> None:
    token = await backend.token(fresh("ann"))
    async with device(backend, headers={"IM-CLIENT-KEY": "wrong"}) as phone:
        assert (await phone.ask("auth2", token))["RC"] == 403
    async with device(backend, headers={"IM-CLIENT-KEY": CLIENT_KEY}) as phone:
        assert (await phone.ask("auth2", token))["RC"] == 0


async def test_authenticating_as_somebody_else_changes_what_is_heard(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as phone:
        of_ann, of_bob = await backend.room(fresh("room"), ann), await backend.room(fresh("room"), bob)
        assert (await phone.authenticate(await backend.token(bob)))["result"] == {"client": bob}
        phone.heard.clear()
        await backend.post(of_ann, ann)
        await backend.post(of_bob, bob)
        await phone.until("lastRead", 1, of_bob)
        await asyncio.sleep(QUIET_S)
        assert phone.told("chat message", of_ann) == []


async def test_long_polling_is_refused_with_a_reason_by_several_workers(backend: Backend) -> None:
    async with Backend(backend.url) as plain:
        answer = await plain._http.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 400
    assert "transports: ['websocket']" in answer.text
    phone = Device(backend)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await phone.connect(transports=("polling",))
    await phone.close()


async def test_an_old_engine_is_refused(backend: Backend) -> None:
    """EIO=4 only (ruling R40)."""
    async with Backend(backend.url) as plain:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
        }
        answer = await plain._http.get("/socket.io/?EIO=3&transport=websocket", headers=headers)
    assert answer.status_code == 403


# How it ends


async def test_a_revoked_token_closes_its_connections_within_five_seconds(backend: Backend) -> None:
    """The user's other devices stay."""
    ann = fresh("ann")
    token = await backend.token(ann)
    async with device(backend, ann) as other, device(backend) as phone:
        await phone.authenticate(token)
        assert (await backend.call("DELETE", f"/admin/clients/{ann}/token", {"token": token}))["RC"] == 0
        revoked_at = time.monotonic()
        await phone.until_closed(5.0)
        assert time.monotonic() - revoked_at < 5
        assert other.client.connected
        await backend.call("DELETE", f"/admin/clients/{ann}/token")
        await other.until_closed(5.0)


async def test_a_token_that_ends_takes_the_connection_along(backend: Backend) -> None:
    ann = fresh("ann")
    await backend.token(ann)
    ends_at = time.time() + 2
    ends = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ends_at + 1)) + ".000Z"
    await backend.call(
        "PUT", f"/admin/clients/{ann}/token", {"token": f"custom-token-of-{ann}", "expirationDate": ends}
    )
    async with device(backend) as phone:
        assert (await phone.authenticate(f"custom-token-of-{ann}"))["RC"] == 0
        await asyncio.sleep(0.5)
        assert phone.client.connected
        await phone.until_closed(6.0)
        assert time.time() > ends_at


async def test_a_user_may_have_only_so_many_connections(backend: Backend) -> None:
    """On each of the two workers 100; past that a new one is told so, and those that are there stay."""
    ann = fresh("ann")
    token = await backend.token(ann)
    async with AsyncExitStack() as stack:
        refused = 0
        for _ in range(203):
            phone = await stack.enter_async_context(device(backend))
            refused += (await phone.authenticate(token))["RC"] == 429
        assert refused >= 3


async def test_a_stopping_service_closes_in_a_way_that_clients_come_back() -> None:
    """Code 1012, service restart; no Socket.IO goodbye, after which clients would stay away."""
    with short_directory() as directory:
        process = ServiceProcess(directory / "data", api_key=API_KEY, client_key=CLIENT_KEY)
        with process:
            async with Backend(process.url) as backend, device(backend, "ann") as phone:
                goodbyes: list[object] = []
                phone.client.on("disconnect", goodbyes.append)
                stopping = asyncio.create_task(asyncio.to_thread(process.stop, 20.0))
                await phone.until_closed(20.0)
                assert await stopping == 0
                assert goodbyes == [phone.client.reason.TRANSPORT_ERROR] or goodbyes == [
                    phone.client.reason.TRANSPORT_CLOSE
                ]
        assert faults(process) == []


async def test_after_an_outage_of_the_store_clients_are_sent_away_to_come_back() -> None:
    """They may have missed something, and fetch state when they connect. At an even pace; who comes then may stay."""
    with short_directory() as directory:
        server = Server(directory / "store")
        server.start()
        settings = {"workers": 1, "redis_url": server.url, "api_key": API_KEY, "client_key": CLIENT_KEY}
        with ServiceProcess(directory / "data", **settings) as process:
            async with Backend(process.url) as backend, AsyncExitStack() as stack:
                phones = [await stack.enter_async_context(device(backend, f"user-{number}")) for number in range(5)]
                stranger = await stack.enter_async_context(device(backend))
                ended_at: list[float] = []
                for phone in phones:
                    phone.client.on("disconnect", lambda *_: ended_at.append(time.monotonic()))
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                await wait_until(lambda: reached(ended_at, 1), "the gap to be noticed", timeout_s=20)
                async with device(backend, "user-0") as back:
                    await wait_until(lambda: reached(ended_at, 5), "all to be sent away", timeout_s=10)
                    pauses = [later - earlier for earlier, later in pairwise(ended_at)]
                    assert all(0.5 <= pause <= 2 for pause in pauses), pauses
                    assert back.client.connected
                    assert stranger.client.connected
                assert "readstate_notice_gaps_total 1.0" in process.get("/metrics")[1].decode()
        assert faults(process) == []
        server.stop()


# Long-polling


async def test_long_polling_works_with_one_worker() -> None:
    """Alone, and as the beginning of a connection that moves on to a websocket, as two of the documentation's examples do."""
    with (
        short_directory() as directory,
        ServiceProcess(directory / "data", workers=1, api_key=API_KEY, client_key=CLIENT_KEY) as process,
    ):
        async with Backend(process.url) as backend:
            async with (
                device(backend, "ann", transports=("polling",)) as polls,
                device(backend, "bob", transports=("polling", "websocket"), encoding="base64") as upgrades,
            ):
                room = await backend.room("room", "ann", "bob")
                message = await backend.post(room, "ann", "né")
                for hearer in (polls, upgrades):
                    await hearer.until("lastRead", 1, room)
                    assert [told["_id"] for told in hearer.told("chat message", room)] == [message]
                assert (polls.client.transport(), upgrades.client.transport()) == ("polling", "websocket")
            async with device(backend, transports=("polling",)) as phone:
                assert (await phone.authenticate("nonsense"))["RC"] == 401
                await phone.until_closed()
        assert faults(process) == []
