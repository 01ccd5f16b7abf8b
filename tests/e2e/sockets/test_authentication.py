"""How connections begin: the handshake, `conf` and `auth2`."""

import asyncio
from typing import Any

import pytest
import socketio
import websockets

from tests.support.devices import CLIENT_KEY, QUIET_S, Backend, Device, device, fresh

# A token in the handshake


async def test_a_token_in_the_handshake_is_as_good_as_auth2(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, auth={"token": await backend.token(ann), "IM-CLIENT-KEY": CLIENT_KEY}) as phone:
        room = await backend.room(fresh("room"), ann, bob)
        message = await backend.post(room, bob)
        assert (await phone.call("lastRead", {"room": room, "message": message}))["RC"] == 0
        assert (await phone.wait_for("lastRead", 2, room))[-1] == {
            "roomID": room,
            "memberID": ann,
            "messageID": message,
        }
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
async def test_a_bad_token_in_the_handshake_is_answered_with_an_object(
    backend: Backend, auth: dict[str, Any], code: str
) -> None:
    """Socket.IO's clients show `message`; `data` is what `auth2` would answer."""
    phone = Device(backend)
    errors: list[dict[str, Any]] = []
    phone.client.on("connect_error", errors.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await phone.connect(auth=auth)
    await phone.wait_until_closed()
    await phone.close()
    (error,) = errors
    assert error["data"]["error"] == {"code": code, "message": error["message"]}


async def test_after_a_bad_token_the_same_connection_may_bring_a_good_one(backend: Backend) -> None:
    """If it were closed, some clients would reconnect with the same token for ever."""
    token = await backend.token(fresh("ann"))
    url = backend.url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(url, compression=None) as connection:
        await connection.recv()
        for one, beginning in (("nonsense", '44{"message":'), (token, "40{"), ("nonsense", "431[")):
            await connection.send(f'40{{"token":"{one}"}}')
            await connection.send('421["conf",{"encoding":"rot13"}]')
            assert str(await connection.recv()).startswith(beginning)


async def test_after_a_handshake_without_a_token_auth2_may_follow(backend: Backend) -> None:
    for auth in ({}, {"token": None}, {"device": "7"}):
        async with device(backend, auth=auth) as phone:
            assert (await phone.authenticate(await backend.token(fresh("ann"))))["RC"] == 0


# How a connection begins


async def test_the_order_of_conf_and_auth2_is_free(backend: Backend) -> None:
    """auth2 before conf, twice, without an ack, with the old name, and other events in between."""
    ann = fresh("ann")
    token = await backend.token(ann)
    room = await backend.room(fresh("room"), ann)
    async with device(backend) as phone:
        await phone.client.emit("pong", None)
        assert await phone.authenticate(token) == {"RC": 0, "RM": "OK", "result": {"client": ann}}
        await phone.client.emit("auth2", (token, {}))
        assert (await phone.authenticate(token, "auth"))["RC"] == 0
        first = await backend.post(room, ann)
        await phone.wait_for("chat message", 1, room)
        assert (
            await phone.client.call("conf", {"encoding": "base64"})
            == "eyJSQyI6MCwiUk0iOiJPSyIsInJlc3VsdCI6eyJlbmNvZGluZyI6ImJhc2U2NCJ9fQ=="
        )
        phone.only_strings = True
        second = await backend.post(room, ann)
        assert [told["_id"] for told in await phone.wait_for("chat message", 2, room)] == [first, second]
        assert phone.only_strings


@pytest.mark.parametrize(
    "wish", [{"encoding": "custom"}, {"encoding": "rot13"}, {"encoding": None}, {}, None, "base64", ["base64"]]
)
async def test_an_unsupported_encoding_changes_nothing(backend: Backend, wish: object) -> None:
    async with device(backend, fresh("ann"), encoding="base64") as phone:
        answer = await phone.client.call("conf", wish, timeout=10)
        assert isinstance(answer, str)
        assert (phone.decode(answer)["RC"], phone.decode(answer)["error"]["code"]) == (400, "UNSUPPORTED_ENCODING")


@pytest.mark.parametrize("encoding", ["", "base64"])
@pytest.mark.parametrize("token", ["nonsense", "", None, 7, {"a": 1}, "x" * 50_000, "e30.e30.e30"])
async def test_after_a_bad_token_comes_an_ack_and_then_the_close(
    backend: Backend, token: object, encoding: str
) -> None:
    """The ack has the encoding of the connection: Flutter reads RC 401 in it before the close."""
    async with device(backend, encoding=encoding) as phone:
        answer = await phone.call("auth2", (token, {"IM-CLIENT-KEY": CLIENT_KEY}))
        assert answer == {
            "RC": 401,
            "RM": "Unauthorized",
            "error": {"code": "INVALID_TOKEN", "message": "Invalid or expired token"},
        }
        await phone.wait_until_closed()


async def test_a_bad_token_without_an_ack_closes_the_connection_too(backend: Backend) -> None:
    async with device(backend) as phone:
        await phone.client.emit("auth2", ("nonsense", {"CLIENT_KEY": CLIENT_KEY, "Authorization": "nonsense"}))
        await phone.wait_until_closed()


@pytest.mark.parametrize("extra", [{"IM-CLIENT-KEY": "wrong"}, {"CLIENT_KEY": "wrong"}, {"IM-CLIENT-KEY": 7}])
async def test_a_wrong_client_key_is_no_401(backend: Backend, extra: object) -> None:
    """After a 401 clients would fetch new tokens for ever."""
    async with device(backend) as phone:
        answer = await phone.call("auth2", (await backend.token(fresh("ann")), extra))
        assert (answer["RC"], answer["error"]["code"]) == (403, "INVALID_CLIENT_KEY")
        await phone.wait_until_closed()


@pytest.mark.parametrize(
    "extra", [{}, None, "device-7", {"deviceId": "7"}, {"CLIENT_KEY": CLIENT_KEY}, {"im-client-key": CLIENT_KEY}]
)
async def test_the_client_key_is_optional_and_may_have_any_of_its_names(backend: Backend, extra: object) -> None:
    async with device(backend) as phone:
        assert (await phone.call("auth2", (await backend.token(fresh("ann")), extra)))["RC"] == 0


async def test_the_client_key_of_the_handshake_is_checked(backend: Backend) -> None:
    token = await backend.token(fresh("ann"))
    async with device(backend, headers={"IM-CLIENT-KEY": "wrong"}) as phone:
        assert (await phone.call("auth2", token))["RC"] == 403
    async with device(backend, headers={"IM-CLIENT-KEY": CLIENT_KEY}) as phone:
        assert (await phone.call("auth2", token))["RC"] == 0


async def test_after_authenticating_as_another_user_that_user_s_events_come(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    async with device(backend, ann) as phone:
        of_ann, of_bob = await backend.room(fresh("room"), ann), await backend.room(fresh("room"), bob)
        assert (await phone.authenticate(await backend.token(bob)))["result"] == {"client": bob}
        phone.received.clear()
        await backend.post(of_ann, ann)
        await backend.post(of_bob, bob)
        await phone.wait_for("lastRead", 1, of_bob)
        await asyncio.sleep(QUIET_S)
        assert phone.payloads("chat message", of_ann) == []
