"""Access: every operation of the routing table and every event of a socket, for each kind of
caller.

A refusal has the dialect's form and has written nothing. To strangers and former members, a room of
others looks like an unknown one.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from readstate.app import create_app
from readstate.dialects.imkit.reading import FAST_ROUTES
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from readstate.dialects.tencent.callbacks.commands import COMMANDS
from readstate.dialects.tencent.webhooks import sign
from readstate.domain.identity import IssuedToken
from readstate.settings import Settings
from readstate.store.apps import AppRegistry, NewApp
from tests.security.asgi_socket import AsgiSocket
from tests.security.fuzz.calls import Route, routes_of
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, refusal, result
from tests.support.servers import Server
from tests.support.tencent import KEY, SDKAPPID, usersig, with_tencent
from tests.support.tencent_callbacks import TOKEN

# Kinds of callers
NO_CREDENTIALS = "no credentials"
KEY_ALONE = "client key alone"
ANOTHER_APP = "another app"
ANOTHER_USER = "another user"
EXPIRED = "expired"
REVOKED = "revoked"
MEMBER_LEFT = "member who left"
OWNER_LEFT = "owner who left"
OWNER = "owner"  # al
CALLERS = (NO_CREDENTIALS, KEY_ALONE, ANOTHER_APP, ANOTHER_USER, EXPIRED, REVOKED, MEMBER_LEFT, OWNER_LEFT)
WITH_A_TOKEN = {ANOTHER_USER: "eve", MEMBER_LEFT: "ex", OWNER_LEFT: "boss"}  # that is good, whoever they are

# Kinds of operations
BACKEND = "by the backend alone"
IN_A_ROOM = "in a room of the caller's"
OWN = "about the caller alone"
SERVER = "by a server that signs"  # Tencent's
OPEN = "for everybody"

# Placeholders for the room and the message of a call: those of others, or unknown ones.
ROOM, MESSAGE = "<room>", "<message>"
SECRET = "a-name-that-is-told-to-members-only"


@dataclass(frozen=True)
class Row:
    """One call of an operation.

    `room` is the first letter of the rooms that it is about: see `world`.
    """

    kind: str
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    room: str = "c"
    told_apart: bool = False  # documented: a stranger gets 403, not 404
    makes: bool = False  # an unknown room has no counterpart, since the call would make it


ITEM = {"room": ROOM, "message": MESSAGE}
ROWS: dict[str, list[Row]] = {
    "mark_read": [Row(IN_A_ROOM, {"message": MESSAGE})],
    "mark_read_many": [Row(OWN, {"items": [ITEM]})],
    "badge": [Row(OWN), Row(OWN, query={"roomTags": "x"})],
    "badges_by_tags": [Row(OWN, {})],
    "badges": [Row(BACKEND, {"clients": ["al"]}), Row(BACKEND, {"tokens": ["a-guess-at-a-token-of-al"]})],
    "rooms": [Row(OWN), Row(OWN, query={"fields": "unread"})],
    "room_ids": [Row(OWN)],
    "changes": [Row(OWN), Row(OWN, query={"since": "1"})],
    "count_messages": [Row(IN_A_ROOM), Row(IN_A_ROOM, query={"timeInMS": "1"})],
    "member": [Row(IN_A_ROOM)],
    "add_member": [Row(IN_A_ROOM)],
    "remove_member": [Row(IN_A_ROOM, room="p")],
    "room": [Row(IN_A_ROOM, told_apart=True)],
    "create_room": [Row(BACKEND, {"_id": ROOM})],
    "create_and_join": [Row(OWN, {}), Row(IN_A_ROOM, {"_id": ROOM, "invitee": ["eve"]}, makes=True)],
    "update_room": [
        Row(IN_A_ROOM, {"name": "x"}),
        Row(IN_A_ROOM, {"status": 0}),
        Row(IN_A_ROOM, {"roomTags": ["x"]}),
        Row(IN_A_ROOM, {}),
    ],
    "delete_room": [Row(IN_A_ROOM)],
    "join": [Row(IN_A_ROOM), Row(IN_A_ROOM, room="p"), Row(IN_A_ROOM, room="d")],
    "add_members": [Row(IN_A_ROOM, {"invitees": ["eve", "ex", "boss"]})],
    "remove_members": [Row(IN_A_ROOM, {"members": ["bo", "nobody"]})],
    "receipts": [Row(IN_A_ROOM)],
    "receipt_counts": [Row(IN_A_ROOM, query={"messages": MESSAGE})],
    "send": [
        Row(IN_A_ROOM, {"message": "x"}),
        Row(IN_A_ROOM, {"_id": MESSAGE, "message": "x", "messageType": "recall"}),
    ],
    "post": [Row(BACKEND, {"room": ROOM, "sender": "al"})],
    "post_batch": [Row(BACKEND, {"messages": [{"room": ROOM, "sender": "al"}]})],
    "delete_message": [Row(IN_A_ROOM)],
    "delete_messages": [Row(BACKEND, query={"before": MESSAGE})],
    "me": [Row(OWN)],
    "logout": [Row(OWN)],
    "upsert_user": [Row(BACKEND, {"_id": "al"})],
    "upsert_users": [Row(BACKEND, {"data": [{"_id": "al"}]})],
    "bind_token": [Row(BACKEND, {"token": "a-custom-token-of-al", "expirationDate": "2099-01-01"})],
    "revoke_tokens": [Row(BACKEND)],
    **{name: [Row(BACKEND)] for name in ("people", "person", "export_person", "erase_person", "traces_of_person")},
    "rocketchat_receipts": [Row(IN_A_ROOM, query={"messageId": MESSAGE})],
    "rocketchat_read": [Row(IN_A_ROOM, {"rid": ROOM}), Row(IN_A_ROOM, {"roomId": ROOM})],
    "rocketchat_subscription": [Row(OWN, query={"roomId": ROOM})],
    "rocketchat_subscriptions": [Row(OWN)],
    "rocketchat_unread": [Row(IN_A_ROOM, {"roomId": ROOM}), Row(IN_A_ROOM, {"firstUnreadMessage": {"_id": MESSAGE}})],
    "rocketchat_channel_counters": [Row(IN_A_ROOM, query={"roomId": ROOM})],
    "rocketchat_group_counters": [Row(IN_A_ROOM, query={"roomId": ROOM}, room="p")],
    "rocketchat_im_counters": [Row(IN_A_ROOM, query={"roomId": ROOM}, room="d")],
    "rocketchat_dm_counters": [Row(IN_A_ROOM, query={"roomId": ROOM}, room="d")],
    "rocketchat_login": [Row(OPEN, {"user": "al", "password": "a-guess-at-a-token"})],
    "rocketchat_logout": [Row(OWN, {})],
    "rocketchat_logout_by_get": [Row(OWN)],
    "rocketchat_read_thread": [Row(IN_A_ROOM, {"tmid": MESSAGE})],
    "admin_set_msg_read": [Row(SERVER, {"Report_Account": "al", "Peer_Account": "bo"})],
    "get_c2c_unread_msg_num": [Row(SERVER, {"To_Account": "al"})],
    "c2c_msg_read_receipt": [
        Row(
            SERVER,
            {
                "Operator_Account": "al",
                "Peer_Account": "bo",
                "C2CMsgInfo": [{"From_Account": "bo", "To_Account": "al", "MsgKey": "1_1_1"}],
            },
        )
    ],
    "set_unread_msg_num": [Row(SERVER, {"GroupId": ROOM, "Member_Account": "al", "UnreadMsgNum": 1})],
    "get_group_msg_receipt": [Row(SERVER, {"GroupId": ROOM, "MsgSeqList": [{"MsgSeq": 1}]})],
    "get_group_msg_receipt_detail": [Row(SERVER, {"GroupId": ROOM, "MsgSeq": 1, "Filter": 0, "Count": 10})],
    "group_msg_receipt": [Row(SERVER, {"GroupId": ROOM, "From_Account": "al", "MsgSeqList": [{"MsgSeq": 1}]})],
    "tencent_callback": [
        Row(
            SERVER,
            {
                "CallbackCommand": command,
                "GroupId": ROOM,
                "Type": "Public",
                "From_Account": "al",
                "To_Account": "bo",
                "MsgKey": "1_1_1",
                "Report_Account": "al",
                "Peer_Account": "bo",
                "Operator_Account": "al",
                "MsgSeq": 9,
                "MsgSeqList": [{"MsgSeq": 1}],
                "GroupMsgReceiptList": [],
                "NewMemberList": [{"Member_Account": "eve"}],
                "ExitMemberList": [{"Member_Account": "al"}],
                "TopicId": "@TGS#_@TGS#c_@TOPIC#_1",
            },
        )
        for command in sorted(COMMANDS)
    ],
    **{name: [Row(OPEN)] for name in ("options", "index", "docs", "healthz", "readyz", "metrics")},
    **{f"GET {path}": [Row(OPEN)] for path in ("/schema", "/schema/asyncapi.json", "/schema/openapi.json")},
    "GET /schema/{path}": [Row(OPEN)],
    **{
        f"OPTIONS {path}": [Row(OPEN)]
        for path in (
            *("/schema", "/schema/asyncapi.json", "/schema/openapi.json", "/schema/{path}", "/tencent/callbacks"),
            *("/", "/healthz", "/readyz", "/metrics"),
            *("/docs", "/docs/LICENSE", "/docs/page.css", "/docs/page.js", "/docs/rapidoc-min.js"),
        )
    },
}
EVENTS: dict[str, list[dict[str, Any]]] = {
    "lastRead": [{"room": ROOM, "message": MESSAGE}],
    "chat message": [{"room": ROOM, "message": "x"}, {"room": ROOM, "_id": MESSAGE, "message": "x"}],
}

OWN_EVENTS = {"sync"}  # they name no room: the answer is about the caller

_SETTINGS = with_tencent(
    Settings(redis_url="unix:///nowhere", api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
)
ROUTES = routes_of(create_app(_SETTINGS))
FAST = {route.operation.name for route in FAST_ROUTES.all}


def test_every_route_is_in_a_row() -> None:
    assert {route.operation for route in ROUTES} == ROWS.keys()
    assert EVENTS.keys() | OWN_EVENTS == HTTP_CALLS.keys()


@pytest.fixture
def settings(server: Server) -> Settings:
    """Without the counters of calls in the store: a refusal would be counted too."""
    return msgspec.structs.replace(_SETTINGS, redis_url=server.url, tencent_token=TOKEN, rocketchat_rate_limit=0)


@pytest.fixture
async def other(imkit: Imkit, settings: Settings) -> NewApp:
    """Another app, with a user al of its own."""
    added = await AppRegistry(imkit.executor, client_key=settings.client_key, api_key=settings.api_key).add("other")
    await imkit.services.apps.refresh()
    return added


@pytest.fixture
async def world(imkit: Imkit) -> Imkit:
    """Rooms of al, one of each of Rocket.Chat's kinds, and the same of boss, who has left.

    Ex has left all of them. `c-al` has message `m-c-al`, and so on. Each member has read a message
    and has one unread.
    """
    for kind in "cpd":
        for owner in ("al", "boss"):
            room, tags = f"{kind}-{owner}", ["direct"] if kind == "d" else []
            profile = {"owner": owner, "managers": [owner], "name": SECRET, "groupType": "Public", "t": kind}
            members = dict.fromkeys(("al", "bo", "ex", owner))
            await imkit.room(room, *members, tags=tuple(tags), **profile)
            for message in (f"m-{room}", f"n-{room}"):
                await imkit.post(room, "bo", message)
            for user in members:
                result(await imkit.as_backend("PUT", f"/rooms/{room}/lastRead", {"message": f"m-{room}"}, user=user))
            leavers = ["ex", *(["boss"] if owner == "boss" else [])]
            result(await imkit.as_backend("POST", f"/rooms/{room}/delete/members", {"members": leavers}))
    for user in ("al", *WITH_A_TOKEN.values()):
        await imkit.sign_in(user)
    return imkit


@dataclass
class Cell:
    """One caller at one call, with the token that they have, if any."""

    imkit: Imkit
    caller: str
    row: Row
    token: str

    def about(self, value: Any, *, known: bool) -> Any:
        """`value` with the room and message of others in it, or with unknown ones."""
        room = f"{self.row.room}-{'boss' if self.caller == OWNER_LEFT else 'al'}"
        text = msgspec.json.encode(value).decode()
        text = text.replace(ROOM, room if known else "nowhere").replace(MESSAGE, f"m-{room}" if known else "nothing")
        return msgspec.json.decode(text)

    async def call(self, route: Route, *, known: bool, origin: bool = False) -> httpx.Response:
        headers, query = self._credentials(route)
        path = (
            route.path.replace("{room}", ROOM)
            .replace("{message}", MESSAGE)
            .replace("{user}", "al")
            .replace("{path}", "x")
        )
        url = self.about(path, known=known) + "?" + urlencode(query | self.about(self.row.query, known=known))
        body = None if self.row.body is None else self.about(self.row.body, known=known)
        if origin:
            headers |= {"Origin": "https://app.example"}
        return await self.imkit.call(route.method, url, body, headers)

    def _credentials(self, route: Route) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and parameters, as the dialect has them."""
        key = {} if self.caller == NO_CREDENTIALS else {"IM-CLIENT-KEY": CLIENT_KEY}
        token = self.token
        if route.dialect == "v4":
            return key, self._usersig()
        if route.dialect == "tencent":
            return key | ({"IM-Authorization": token} if token else {}), self._signed()
        if route.dialect == "api" and token:
            return {"X-Auth-Token": token, "X-User-Id": WITH_A_TOKEN.get(self.caller, "al")}, {}
        return key | ({"IM-Authorization": token} if token else {}), {}

    def _usersig(self) -> dict[str, str]:
        """Credentials of another app, of a plain account, from yesterday, under a replaced key."""
        if self.caller in (NO_CREDENTIALS, KEY_ALONE):
            return {}
        account = WITH_A_TOKEN.get(self.caller, "administrator")
        life = -10 if self.caller == EXPIRED else 600
        key = KEY[::-1] if self.caller == REVOKED else KEY
        sdkappid = SDKAPPID + 1 if self.caller == ANOTHER_APP else SDKAPPID
        return {
            "sdkappid": str(sdkappid),
            "identifier": account,
            "usersig": usersig(account, sdkappid=sdkappid, key=key, expire=life),
        }

    def _signed(self) -> dict[str, str]:
        """The same of a callback. A user has nothing to sign with."""
        app = {"SdkAppid": str(SDKAPPID)}
        if self.caller in (ANOTHER_APP, EXPIRED, REVOKED):
            now = str(int(time.time()) - (3_600 if self.caller == EXPIRED else 0))
            signature = sign(TOKEN if self.caller != REVOKED else "a-token-before", now)
            foreign = {"SdkAppid": str(SDKAPPID + 1)} if self.caller == ANOTHER_APP else {}
            return app | foreign | {"RequestTime": now, "Sign": signature}
        return app

    @property
    def is_proved(self) -> bool:
        """Whether the service knows who it is."""
        return self.caller in WITH_A_TOKEN


async def token_of(imkit: Imkit, other: NewApp, caller: str) -> str:
    """A fresh token of the caller, or "" for a caller without one."""
    if caller in WITH_A_TOKEN:
        return await imkit.sign_in(WITH_A_TOKEN[caller])
    if caller == ANOTHER_APP:
        user = {"_id": "al", "issueAccessToken": True}
        return str(result(await imkit.call("POST", "/admin/clients", user, {"IM-API-KEY": other.api_key}))["token"])
    if caller == REVOKED:
        token = await imkit.sign_in("al")
        result(await imkit.as_backend("DELETE", "/admin/clients/al/token", {"token": token}))
        return token
    if caller == EXPIRED:
        now = int(time.time())
        ended = IssuedToken("", "0" * 24, (now - 100) * 1000, now - 10)
        return str(imkit.services.tokens.signed(app="default", user="al", token=ended).token)
    return ""


def check_refused(answer: httpx.Response, route: Route) -> None:
    """A refusal in the form of the dialect."""
    dialect = route.dialect
    if route.method == "HEAD":  # the body is left out
        assert answer.status_code in (200, 400, 401, 403)
        return
    body = answer.json()
    if body.get("joined") is False:  # how the original refuses counters: all of them are null
        assert {value for name, value in body.items() if name not in ("joined", "success")} == {None}
        return
    if dialect in ("v4", "tencent"):
        assert body["ActionStatus"] == "FAIL"
        assert body["ErrorCode"] != 0
        assert body["ErrorInfo"]
        assert answer.status_code == 200 or (dialect == "tencent" and answer.status_code == 401)
    elif dialect == "api":
        assert body["success"] is False
        assert body["error"]
        assert answer.status_code in (400, 401, 403)
    else:
        assert answer.status_code in (401, 403, 404)
        assert (body["RC"], bool(body["RM"]), bool(body["error"]["code"])) == (answer.status_code, True, True)


async def check_writes_nothing(imkit: Imkit, ask: Callable[[], Awaitable[Any]]) -> Any:
    """The answer to a call that changes nothing in the store."""
    before = await imkit.everything()
    answer = await ask()
    assert await imkit.everything() == before, "something was written"
    return answer


CASES = [(route, number) for route in ROUTES for number in range(len(ROWS.get(route.operation, ())))]


@pytest.mark.parametrize(
    ("route", "number"), CASES, ids=[f"{route.method} {route.path} {number}" for route, number in CASES]
)
async def test_a_call_is_for_those_who_may_make_it(world: Imkit, other: NewApp, route: Route, number: int) -> None:
    row = ROWS[route.operation][number]
    for caller in CALLERS:
        for origin in (False, True) if route.operation in FAST else (False,):
            cell = Cell(world, caller, row, await token_of(world, other, caller))
            await check_cell(cell, route, origin=origin)


async def check_cell(cell: Cell, route: Route, *, origin: bool) -> None:
    """One call of one caller."""
    imkit, row = cell.imkit, cell.row

    async def ask(*, known: bool = True) -> httpx.Response:
        return await cell.call(route, known=known, origin=origin)

    # A token in Rocket.Chat's dialect names its app itself, so it is good only there.
    elsewhere = cell.caller == ANOTHER_APP and route.dialect == "api"
    if row.kind == OPEN:
        answer = await check_writes_nothing(imkit, ask)
        assert answer.status_code < 500
        assert SECRET not in answer.text
    elif row.kind == OWN and (cell.is_proved or elsewhere):
        rooms = await kept(imkit)
        answer = await ask()
        assert answer.status_code == 200, answer.text
        assert SECRET not in answer.text
        assert await kept(imkit) == rooms
    else:
        answer = await check_writes_nothing(imkit, ask)
        check_refused(answer, route)
        if row.kind == IN_A_ROOM and cell.is_proved and row.told_apart:
            assert answer.content == refusal(403, "Forbidden", "NOT_ROOM_MEMBER", "You are not a member of this room")
        elif row.kind == IN_A_ROOM and (cell.is_proved or elsewhere) and not row.makes:
            unknown = await check_writes_nothing(imkit, lambda: ask(known=False))
            assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content), (
                f"{cell.caller} learns of a room"
            )


async def kept(imkit: Imkit) -> dict[str, bytes]:
    """All that is stored of the rooms of others."""
    names = [f":{kind}-{owner}}}" for kind in "cpd" for owner in ("al", "boss")]
    return {key: value for key, value in (await imkit.everything()).items() if any(name in key for name in names)}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("event", sorted(EVENTS))
async def test_an_event_is_for_those_who_may_say_it(world: Imkit, other: NewApp, event: str, caller: str) -> None:
    """Sockets follow the same rules as HTTP."""
    for content in EVENTS[event]:
        cell = Cell(world, caller, Row(IN_A_ROOM, content), await token_of(world, other, caller))
        async with AsgiSocket(world.service, "" if caller == NO_CREDENTIALS else CLIENT_KEY) as socket:
            if cell.token:
                introduced = await socket.call("auth2", cell.token)
                assert introduced["RC"] == (0 if cell.is_proved else 401)
            if not cell.token:
                # It waits until the client authenticates. It is refused when that cannot happen any
                # more.
                acks = [socket.emit(event, cell.about(content, known=known)) for known in (True, False)]
                answers = await check_writes_nothing(world, lambda: refused_auth2(socket, acks))  # noqa: B023
                assert [answer["error"]["code"] for answer in answers] == ["NOT_AUTHENTICATED"] * 2
                continue
            answer = await check_writes_nothing(world, lambda: socket.call(event, cell.about(content, known=True)))  # noqa: B023
            if not cell.is_proved:
                assert answer is None, "the connection goes on"
                continue
            assert answer["RC"] in (403, 404)
            assert answer == await socket.call(event, cell.about(content, known=False))


async def refused_auth2(socket: AsgiSocket, acks: list[str]) -> list[Any]:
    """A waiting event is answered when the token is bad."""
    socket.emit("auth2", "nonsense")
    return [await socket.ack(ack) for ack in acks]


async def test_a_stranger_is_told_of_no_room_to_mark_read(world: Imkit) -> None:
    """The answer of the document, which has no 403 for it."""
    answer = await world.as_user("eve", "PUT", "/rooms/c-al/lastRead", {"message": "m-c-al"})
    assert (answer.status_code, answer.content) == (
        404,
        refusal(
            404, "Not Found", "ROOM_NOT_FOUND", "Room or message not found: there is no such room, or you are not in it"
        ),
    )


async def test_who_is_in_a_room_may_do_what_strangers_may_not(world: Imkit) -> None:
    """The rows are right: the owner may do what is refused above.

    Calls that end a message or a room come last.
    """
    endings = ("send", "delete_message", "update_room", "remove_members", "delete_room", "remove_member")
    in_a_room = [(route, row) for route in ROUTES for row in ROWS[route.operation] if row.kind == IN_A_ROOM]
    for route, row in sorted(
        in_a_room, key=lambda one: endings.index(one[0].operation) if one[0].operation in endings else -1
    ):
        answer = await Cell(world, OWNER, row, world.tokens["al"]).call(route, known=True)
        assert answer.status_code == 200, (route, answer.text)
