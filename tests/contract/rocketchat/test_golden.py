"""The Rocket.Chat dialect: every documented answer, byte for byte, but for times and tokens."""

import pytest

from readstate.domain.direct import TAG, direct_room
from readstate.store import pipelined_connection
from tests.support.imkit import result
from tests.support.rocketchat import PATH, Rocketchat, coded, failed, seen

AL = '{"username":"al","name":"Al","_id":"al"}'
BO = '{"username":"bo","name":"Bo","_id":"bo"}'
DONE = '200 {"success":true}'
UNREAD = ',"details":{"method":"unreadMessages","action":"Unread_messages"}'
BY_ID_OR_NAME = r"The required \"roomId\" or \"roomName\" param provided does not match any "


@pytest.fixture
async def al(rocketchat: Rocketchat) -> Rocketchat:
    """Al and bo are in room r, called Room, where bo has posted m1; cy is in none."""
    for user in ("al", "bo", "cy"):
        await rocketchat.backend.sign_in(user)
    await rocketchat.backend.room("r", "al", "bo", name="Room")
    await rocketchat.backend.post("r", "bo", "m1")
    return rocketchat


def receipt(message: str, user: str, person: str) -> str:
    ids = f'"_id":"{message}{user}","roomId":"r","userId":"{user}","messageId":"{message}"'
    return f'{{{ids},"ts":"ISO","_updatedAt":"ISO","user":{person}}}'


def subscription(*, ls: bool = False, alert: bool = False, unread: int = 0) -> str:
    seen_at = '"ls":"ISO",' if ls else ""
    return (
        f'{{"_id":"ral","rid":"r","u":{AL},"t":"c","name":"Room","fname":"Room","ts":"ISO",{seen_at}"open":true,'
        f'"alert":{str(alert).lower()},"unread":{unread},"userMentions":0,"groupMentions":0,"_updatedAt":"ISO"}}'
    )


def counters(unreads: int, unreads_from: str = '"ISO"') -> str:
    return (
        f'200 {{"joined":true,"members":2,"unreads":{unreads},"unreadsFrom":{unreads_from},"msgs":1,"latest":"ISO",'
        '"userMentions":0,"success":true}'
    )


STRANGER = (
    '200 {"joined":false,"members":null,"unreads":null,"unreadsFrom":null,"msgs":null,"latest":null,'
    '"userMentions":null,"success":true}'
)


async def test_receipts(al: Rocketchat) -> None:
    await al.read("al", "r")
    answer = await al.get("al", "chat.getMessageReadReceipts", messageId="m1")
    assert seen(answer) == f'200 {{"receipts":[{receipt("m1", "bo", BO)},{receipt("m1", "al", AL)}],"success":true}}'
    assert all(one["_updatedAt"] == one["ts"] for one in answer.json()["receipts"])
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


async def test_receipts_without_a_message_id(al: Rocketchat) -> None:
    expected = failed("The required 'messageId' param is missing.")
    assert seen(await al.get("al", "chat.getMessageReadReceipts")) == expected
    assert seen(await al.get("al", "chat.getMessageReadReceipts", messageId="")) == expected


async def test_receipts_of_an_unknown_message(al: Rocketchat) -> None:
    answer = await al.get("al", "chat.getMessageReadReceipts", messageId="m2")
    assert seen(answer) == coded("error-invalid-message", "Invalid message", "getReadReceipts")


async def test_receipts_for_a_stranger(al: Rocketchat) -> None:
    """As for an unknown message."""
    answer = await al.get("cy", "chat.getMessageReadReceipts", messageId="m1")
    assert seen(answer) == coded("error-invalid-message", "Invalid message", "getReadReceipts")


async def test_receipts_of_deleted_messages_and_rooms(al: Rocketchat) -> None:
    await al.backend.post("r", "bo", "m2")
    expected = coded("error-invalid-message", "Invalid message", "getReadReceipts")
    result(await al.backend.as_backend("DELETE", "/rooms/r/messages/m2"))
    assert seen(await al.get("al", "chat.getMessageReadReceipts", messageId="m2")) == expected
    result(await al.backend.as_backend("DELETE", "/rooms/r"))
    assert seen(await al.get("al", "chat.getMessageReadReceipts", messageId="m1")) == expected


@pytest.mark.parametrize(
    "body", [{"rid": "r"}, {"roomId": "r"}, {"rid": "r", "readThreads": True}, {"roomId": "r", "readThreads": None}]
)
async def test_read(al: Rocketchat, body: dict[str, object]) -> None:
    assert seen(await al.post("al", "subscriptions.read", body)) == DONE
    assert (await al.subscription("al", "r"))["unread"] == 0


async def test_read_of_a_room_that_is_not_the_callers(al: Rocketchat) -> None:
    """Unknown rooms and rooms of others are answered alike, without errorType."""
    for user, room in (("al", "x"), ("cy", "r")):
        answer = await al.post(user, "subscriptions.read", {"rid": room})
        assert seen(answer) == failed("error-invalid-subscription")


async def test_many_subscriptions_leave_the_store_to_others(al: Rocketchat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members of many unnamed direct rooms are not all read at once."""
    monkeypatch.setattr(pipelined_connection, "MAX_IN_FLIGHT", 250)
    for number in range(300):
        await al.backend.room(f"d{number}", "al", "bo", t="d")
    answer = await al.get("al", "subscriptions.get")
    assert [room["name"] for room in answer.json()["update"]].count("bo") == 300


async def test_one_subscription(al: Rocketchat) -> None:
    """`ls` is absent before a first read."""
    answer = await al.get("al", "subscriptions.getOne", roomId="r")
    assert seen(answer) == f'200 {{"subscription":{subscription(alert=True, unread=1)},"success":true}}'
    await al.read("al", "r")
    answer = await al.get("al", "subscriptions.getOne", roomId="r")
    assert seen(answer) == f'200 {{"subscription":{subscription(ls=True)},"success":true}}'


async def test_no_subscription(al: Rocketchat) -> None:
    """Null and no error for an unknown room and for a room of others."""
    for user, room in (("al", "x"), ("cy", "r")):
        answer = await al.get(user, "subscriptions.getOne", roomId=room)
        assert seen(answer) == '200 {"subscription":null,"success":true}'


async def test_a_subscription_without_a_room_id(al: Rocketchat) -> None:
    missing = failed("must have required property 'roomId'", "error-invalid-params")
    assert seen(await al.get("al", "subscriptions.getOne")) == missing
    assert seen(await al.get("al", "subscriptions.getOne", roomId="")) == failed("The 'roomId' param is required")


async def test_subscriptions(al: Rocketchat) -> None:
    answer = await al.get("al", "subscriptions.get")
    assert seen(answer) == f'200 {{"update":[{subscription(alert=True, unread=1)}],"remove":[],"success":true}}'
    assert seen(await al.get("cy", "subscriptions.get")) == '200 {"update":[],"remove":[],"success":true}'


async def test_subscriptions_since(al: Rocketchat) -> None:
    """A room that was left since is named by the id of its subscription."""
    since = (await al.get("al", "subscriptions.get")).json()["update"][0]["_updatedAt"]
    assert (
        seen(await al.get("al", "subscriptions.get", updatedSince=since))
        == '200 {"update":[],"remove":[],"success":true}'
    )
    result(await al.backend.as_backend("POST", "/rooms/r/delete/members", {"members": ["al"]}))
    answer = await al.get("al", "subscriptions.get", updatedSince=since)
    assert seen(answer) == '200 {"update":[],"remove":[{"_id":"ral","_deletedAt":"ISO"}],"success":true}'
    assert (
        seen(await al.get("al", "subscriptions.get", updatedSince="")) == '200 {"update":[],"remove":[],"success":true}'
    )


async def test_subscriptions_since_no_date(al: Rocketchat) -> None:
    text = r"The \"lastUpdate\" query parameter must be a valid date."
    answer = await al.get("al", "subscriptions.get", updatedSince="yesterday")
    assert seen(answer) == coded("error-roomId-param-invalid", text)


@pytest.mark.parametrize(
    "body",
    [{"roomId": "r"}, {"firstUnreadMessage": {"_id": "m1"}}, {"roomId": None, "firstUnreadMessage": {"_id": "m1"}}],
)
async def test_unread(al: Rocketchat, body: dict[str, object]) -> None:
    await al.read("al", "r")
    assert seen(await al.post("al", "subscriptions.unread", body)) == DONE
    answer = await al.get("al", "subscriptions.getOne", roomId="r")
    assert seen(answer) == f'200 {{"subscription":{subscription(ls=True, alert=True)},"success":true}}'


async def test_unread_where_there_is_nothing(al: Rocketchat) -> None:
    await al.backend.room("empty", "al")
    expected = failed(
        "There are no messages to mark unread [error-no-message-for-unread]", "error-no-message-for-unread", UNREAD
    )
    for room in ("empty", "x"):
        assert seen(await al.post("al", "subscriptions.unread", {"roomId": room})) == expected


@pytest.mark.parametrize(
    ("body", "unknown"),
    [
        ({"roomId": "r"}, {"roomId": "x"}),
        ({"firstUnreadMessage": {"_id": "m1"}}, {"firstUnreadMessage": {"_id": "x"}}),
    ],
)
async def test_unread_for_a_stranger(al: Rocketchat, body: dict[str, object], unknown: dict[str, object]) -> None:
    """As for an unknown room or message."""
    answer = await al.post("cy", "subscriptions.unread", body)
    assert answer.status_code == 400
    assert seen(answer) == seen(await al.post("cy", "subscriptions.unread", unknown))


async def test_unread_from_a_message_for_somebody_who_has_never_read(al: Rocketchat) -> None:
    answer = await al.post("al", "subscriptions.unread", {"firstUnreadMessage": {"_id": "m1"}})
    assert seen(answer) == coded("error-subscription-not-found", "Subscription not found")


async def test_unread_from_an_unknown_or_an_own_message(al: Rocketchat) -> None:
    expected = failed("Not allowed [error-action-not-allowed]", "error-action-not-allowed", UNREAD)
    for user, message in (("al", "x"), ("bo", "m1")):
        answer = await al.post(user, "subscriptions.unread", {"firstUnreadMessage": {"_id": message}})
        assert seen(answer) == expected


async def test_channel_counters(al: Rocketchat) -> None:
    for query in ({"roomId": "r"}, {"roomName": "Room"}, {"roomId": "r", "userId": "al"}):
        assert seen(await al.get("al", "channels.counters", **query)) == counters(1)


async def test_channel_counters_for_a_stranger(al: Rocketchat) -> None:
    """A channel is open if they have not joined it. A closed one looks unknown."""
    nothing = await al.get("cy", "channels.counters", roomId="x")
    assert seen(await al.get("cy", "channels.counters", roomId="r")) == seen(nothing)
    result(await al.backend.as_backend("PUT", "/rooms/r", {"opening": 1}))
    assert seen(await al.get("cy", "channels.counters", roomId="r")) == STRANGER


async def test_channel_counters_of_no_channel(al: Rocketchat) -> None:
    """A name is looked up in the caller's own rooms only."""
    await al.backend.room("group", "al", t="p")
    expected = coded("error-room-not-found", BY_ID_OR_NAME + "channel")
    for user, query in (("al", {}), ("al", {"roomId": "x"}), ("al", {"roomId": "group"}), ("cy", {"roomName": "Room"})):
        assert seen(await al.get(user, "channels.counters", **query)) == expected


async def test_group_counters(al: Rocketchat) -> None:
    await al.backend.room("g", "al", "bo", name="Group", t="p")
    await al.backend.post("g", "bo", "g1")
    for query in ({"roomId": "g"}, {"roomName": "Group"}):
        assert seen(await al.get("al", "groups.counters", **query)) == counters(1)
    result(await al.backend.as_backend("PUT", "/rooms/g", {"opening": 1}))
    assert seen(await al.get("cy", "groups.counters", roomId="g")) == seen(
        await al.get("cy", "groups.counters", roomId="x")
    )


async def test_group_counters_of_no_group(al: Rocketchat) -> None:
    expected = coded("error-room-not-found", BY_ID_OR_NAME + "group")
    for query in ({"roomId": "x"}, {"roomId": "r"}, {"roomName": "Room"}):
        assert seen(await al.get("al", "groups.counters", **query)) == expected
    nothing = coded("error-room-param-not-provided", r"The parameter \"roomId\" or \"roomName\" is required")
    for query in ({"roomId": ""}, {"roomName": ""}):
        assert seen(await al.get("al", "groups.counters", **query)) == nothing


@pytest.mark.parametrize(("call", "kind", "what"), [("channels", "c", "channel"), ("groups", "p", "private group")])
async def test_counters_of_an_archived_room(al: Rocketchat, call: str, kind: str, what: str) -> None:
    """A frozen room is an archived one here."""
    await al.backend.room("old", "al", name="Old", t=kind)
    result(await al.backend.as_backend("PUT", "/rooms/old", {"status": 0}))
    expected = coded("error-room-archived", f"The {what}, Old, is archived")
    assert seen(await al.get("al", f"{call}.counters", roomId="old")) == expected
    assert (await al.subscription("al", "old"))["archived"] is True
    nothing = seen(await al.get("cy", f"{call}.counters", roomId="x"))
    assert seen(await al.get("cy", f"{call}.counters", roomId="old")) == nothing  # the members need not know its name


@pytest.mark.parametrize("call", ["im.counters", "dm.counters"])
async def test_direct_counters(al: Rocketchat, call: str) -> None:
    room = direct_room("al", "bo")
    await al.backend.room(room, "al", "bo", tags=(TAG,))
    await al.backend.post(room, "bo", "d1")
    assert seen(await al.get("al", call, roomId=room)) == counters(1, "null")
    await al.read("al", room)
    assert seen(await al.get("al", call, roomId=room, userId="al")) == counters(0)
    assert seen(await al.get("cy", call, roomId=room)) == seen(await al.get("cy", call, roomId=direct_room("al", "di")))


@pytest.mark.parametrize("call", ["im.counters", "dm.counters"])
async def test_direct_counters_of_no_direct_room(al: Rocketchat, call: str) -> None:
    expected = coded(
        "error-room-not-found", r"The required \"roomId\" param provided does not match any direct message"
    )
    for room in ("x", "r", ""):
        assert seen(await al.get("al", call, roomId=room)) == expected
    assert seen(await al.get("al", call)) == failed("must have required property 'roomId'", "error-invalid-params")


@pytest.mark.parametrize("call", ["channels.counters", "groups.counters", "im.counters", "dm.counters"])
async def test_counters_of_somebody_else_are_refused(al: Rocketchat, call: str) -> None:
    assert seen(await al.get("al", call, roomId="r", userId="bo")) == failed("unauthorized", status=403)


async def test_login(al: Rocketchat) -> None:
    """The answer holds the token that was sent: logging in does not prolong a session."""
    result(
        await al.backend.as_backend(
            "POST", "/admin/clients", {"_id": "al", "username": "albert", "email": "al@example.org"}
        )
    )
    me = '{"username":"albert","name":"Al","_id":"al"}'
    expected = f'200 {{"status":"success","data":{{"userId":"al","authToken":"JWT","me":{me}}},"success":true}}'
    token = al.backend.tokens["al"]
    for body in (
        {"resume": token},
        {"user": "al", "password": token},
        {"user": "albert", "password": token},
        {"user": "al@example.org", "password": token, "code": "123456"},
        {"username": "albert", "password": token},
        {"username": "al", "password": token},
        {"email": "al@example.org", "password": token},
        {"user": {"username": "albert"}, "password": token},
        {"user": {"username": "al"}, "password": token},
        {"user": {"email": "al@example.org"}, "password": token},
    ):
        answer = await al.client.post(f"{PATH}/login", json=body)
        assert seen(answer) == expected
        assert answer.json()["data"]["authToken"] == token


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"resume": "nonsense"},
        {"resume": 7},
        {"resume": ""},
        {"user": "al"},
        {"user": "al", "password": "wrong"},
        {"user": "bo", "password": "{token}"},
        {"email": "al", "password": "{token}"},
        {"username": "AL", "password": "{token}"},
        {"password": "{token}"},
        {"user": "", "password": "{token}"},
        {"user": "al", "password": {"digest": "{token}", "algorithm": "sha-256"}},
        {"user": {"username": "bo"}, "password": "{token}"},
        {"user": {"username": "al"}, "password": "wrong"},
        {"user": {"username": "al"}},
        {"user": {"email": "al"}, "password": "{token}"},
        {"user": {"username": ["al"]}, "password": "{token}"},
        {"user": {"_id": "al"}, "password": "{token}"},
        {"user": {}, "password": "{token}"},
        {"user": ["al"], "password": "{token}"},
    ],
)
async def test_login_that_proves_nothing(al: Rocketchat, body: object) -> None:
    token = al.backend.tokens["al"]
    if isinstance(body, dict) and body.get("password") == "{token}":
        body = {**body, "password": token}
    answer = await al.client.post(f"{PATH}/login", json=body)
    assert seen(answer) == '401 {"success":false,"error":"Unauthorized","status":"error","message":"Unauthorized"}'


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_logout_revokes_this_token_only(al: Rocketchat, method: str) -> None:
    """Both methods work: older clients use GET."""
    first, second = al.backend.tokens["al"], await al.backend.sign_in("al")
    answer = await al.client.request(method, f"{PATH}/logout", headers={"X-Auth-Token": first, "X-User-Id": "al"})
    assert seen(answer) == '200 {"status":"success","data":{"message":"You\'ve been logged out!"},"success":true}'
    for token, status in ((first, 401), (second, 200)):
        answer = await al.client.get(f"{PATH}/subscriptions.get", headers={"X-Auth-Token": token, "X-User-Id": "al"})
        assert answer.status_code == status


async def test_reading_a_thread_changes_nothing(al: Rocketchat) -> None:
    assert seen(await al.post("al", "chat.readThread", {"tmid": "m1"})) == DONE
    assert (await al.subscription("al", "r"))["unread"] == 1
    unknown = coded("error-invalid-message", "Invalid message", "readThreads")
    assert seen(await al.post("al", "chat.readThread", {"tmid": "x"})) == unknown
    assert seen(await al.post("cy", "chat.readThread", {"tmid": "m1"})) == unknown


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nothing", "/api/v1", "/api/v1/", "/api", "/api/info", "/api/v2/login", "/api/v1/%00", "/api/v1/%FF"],
)
async def test_unknown_paths(al: Rocketchat, path: str) -> None:
    assert seen(await al.client.get(path)) == failed("API endpoint does not exist", status=404)


@pytest.mark.parametrize(
    ("method", "call", "allow"),
    [
        ("GET", "subscriptions.read", {"OPTIONS", "POST"}),
        ("PUT", "login", {"OPTIONS", "POST"}),
        ("PUT", "logout", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
async def test_wrong_methods(al: Rocketchat, method: str, call: str, allow: set[str]) -> None:
    answer = await al.client.request(method, f"{PATH}/{call}")
    assert seen(answer) == failed("Method not allowed; the Allow header names those that are", status=405)
    assert set(answer.headers["allow"].split(", ")) == allow


async def test_head_and_options(al: Rocketchat) -> None:
    """HEAD is GET without a body, and grants nothing more. OPTIONS names the methods."""
    answer = await al.client.head(f"{PATH}/subscriptions.get", headers=await al.headers("cy"))
    assert (answer.status_code, answer.headers["content-length"]) == (200, "40")
    assert (await al.client.head(f"{PATH}/subscriptions.get")).status_code == 401
    for call, allow in (
        ("subscriptions.get", "GET, HEAD, OPTIONS"),
        ("subscriptions.read", "OPTIONS, POST"),
        ("logout", "GET, HEAD, OPTIONS, POST"),
    ):
        answer = await al.client.options(f"{PATH}/{call}")
        assert (answer.status_code, answer.headers["allow"], answer.content) == (200, allow, b"")
