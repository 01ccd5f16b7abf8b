"""Makes tests/data/layout-<n>.msgpack.gz: a small store, written by a released version, with the
answers that this version gives.

Run it with the Python of a checkout of that release, on a commit that is released:

    PYTHONPATH=CHECKOUT/service python tests/data/make_layout.py 1 tests/data/layout-1.msgpack.gz

It starts the release's own service on an embedded store, makes rooms of all kinds in the three
dialects and two apps, asks for everything that depends on them, and reads every key. The store of a
release is made once, and stays as it is.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import redis
from TLSSigAPIv2 import TLSSigAPIv2

SDKAPPID = 1400000001
TENCENT_KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"  # of a made-up application
API_KEY, CLIENT_KEY = "api-key-of-the-backend", "client-key-of-the-app"
PORT = 18399
BASE = f"http://127.0.0.1:{PORT}"
SETTINGS = {
    "READSTATE_PORT": str(PORT),
    "READSTATE_WORKERS": "1",
    "READSTATE_API_KEY": API_KEY,
    "READSTATE_CLIENT_KEY": CLIENT_KEY,
    "READSTATE_TOKEN_SECRET": "secret-of-the-tokens-of-the-store",
    "READSTATE_FANOUT_LIMIT": "8",
    "READSTATE_MESSAGE_HISTORY": "100",
    "READSTATE_JOURNAL_MOVES": "64",
    "READSTATE_USER_RATE_LIMIT": "0",
    "READSTATE_ROCKETCHAT_RATE_LIMIT": "0",
    "READSTATE_TENCENT_SDKAPPID": str(SDKAPPID),
    "READSTATE_TENCENT_KEY": TENCENT_KEY,
    "READSTATE_TENCENT_RATE_LIMIT": "0",
}
LONG = 300  # messages of the longest room, three times what is remembered
CROWD = [f"c{number:02}" for number in range(14)]


class Asked(msgspec.Struct):
    """A question to the service. `user`: "" for the backend alone."""

    app: str
    dialect: str  # imkit, rocketchat, tencent
    user: str
    method: str
    path: str
    body: Any = None
    status: int = 0
    answer: str = ""


class Store(msgspec.Struct):
    """What is kept of a release."""

    commit: str
    api_keys: dict[str, str]  # app -> API key
    settings: dict[str, str]
    keys: list[tuple[bytes, str, Any, int]]  # key, type, content, ms until it goes or -1
    asked: list[Asked]


class Service:
    def __init__(self) -> None:
        self.api_keys = {"default": API_KEY}
        self.client_keys = {"default": CLIENT_KEY}
        self.tokens: dict[tuple[str, str], str] = {}

    def call(self, method: str, path: str, body: Any = None, user: str = "", app: str = "default") -> Any:
        """An IMKit call that must succeed: its result."""
        status, answer = self.ask(Asked(app, "imkit", user, method, path, body))
        assert status == 200, (method, path, status, answer)
        return json.loads(answer).get("result")

    def ask(self, asked: Asked) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
        path = asked.path
        if asked.dialect == "imkit":
            headers |= {"IM-API-KEY": self.api_keys[asked.app]} | ({"IM-CLIENT-ID": asked.user} if asked.user else {})
        elif asked.dialect == "rocketchat":
            headers |= {"X-Auth-Token": self._token(asked.app, asked.user), "X-User-Id": asked.user}
        else:
            sig = TLSSigAPIv2(SDKAPPID, TENCENT_KEY).gen_sig("administrator", 86_400)
            path += "?" + urlencode(
                {
                    "sdkappid": SDKAPPID,
                    "identifier": "administrator",
                    "usersig": sig,
                    "random": 1,
                    "contenttype": "json",
                }
            )
        data = None if asked.body is None else json.dumps(asked.body).encode()
        request = urllib.request.Request(BASE + path, data=data, method=asked.method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def room(self, name: str, members: list[str], tags: list[str], app: str = "default", **more: Any) -> None:
        self.call("POST", "/rooms", {"_id": name, "members": members, "roomTags": tags, **more}, app=app)

    def post(self, name: str, sender: str, message: str = "", app: str = "default", **more: Any) -> str:
        body = {"room": name, "sender": sender, "messageType": "text", "message": "x", **more}
        if message:
            body["_id"] = message
        return str(self.call("POST", "/messages", body, app=app)["_id"])

    def read(self, name: str, user: str, message: str, app: str = "default") -> None:
        self.call("PUT", f"/rooms/{quote(name)}/lastRead", {"message": message}, user, app)

    def tencent(self, command: str, body: Any) -> None:
        status, answer = self.ask(Asked("default", "tencent", "", "POST", f"/v4/{command}", body))
        assert (status, json.loads(answer)["ErrorCode"]) == (200, 0), (command, answer)

    def _token(self, app: str, user: str) -> str:
        if (app, user) not in self.tokens:
            self.tokens[app, user] = self.call(
                "POST", "/admin/clients", {"_id": user, "issueAccessToken": True}, app=app
            )["token"]
        return self.tokens[app, user]


def make_users(service: Service) -> None:
    for user in ("ann", "ben", "cat", "dan", "eve", "fay", *CROWD):
        service.call("POST", "/admin/clients", {"_id": user, "nickname": user.title()})


def make_long_room(service: Service) -> None:
    """Longer than what is remembered; journals with chunks; several forms of ids; hidden ones."""
    service.room("garden", ["ann", "ben", "cat"], ["team", "green"], roomName="Garden")
    for number in range(LONG):
        if number % 5 == 0:
            message = service.post("garden", "ann")
        elif number % 5 == 1:
            message = service.post("garden", "ben", f"garden message {number}")
        elif number % 5 == 2:
            message = service.post("garden", "ann", f"{number:024x}")
        elif number % 5 == 3:
            message = service.post("garden", "cat", f"{number:08x}-1111-4222-8333-444455556666")
        else:
            message = service.post("garden", "ben", f"silent-{number}", silent=True)
        if number % 3 == 0:
            service.read("garden", "ben", message)
        if number == LONG - 40:
            service.read("garden", "cat", message)
        if number > LONG - 30 and number % 7 == 0:
            service.call("DELETE", f"/rooms/garden/messages/{quote(message)}")
    service.post("garden", "ben", "hidden 1", asLastMessage=False, moveCursor=False)
    service.post("garden", "ben", "hidden 2", asLastMessage=False, moveCursor=False, messageTimeMS=1_700_000_000_000)


def make_deletions(service: Service) -> None:
    """A row of deleted messages, and deletions before a message; frozen and empty rooms."""
    service.room("shed", ["ann", "ben", "dan"], ["team"])
    shed = [service.post("shed", "ann", f"s{number}") for number in range(20)]
    for message in (shed[17], shed[19], shed[18]):
        service.call("DELETE", f"/rooms/shed/messages/{message}")
    service.call("DELETE", "/rooms/shed/messages?before=s5")
    service.read("shed", "ben", "s8")
    service.room("cleared", ["ann", "eve"], ["green"])
    for number in range(6):
        service.post("cleared", "ann", f"k{number}")
    service.call("DELETE", "/rooms/cleared/messages/_all")

    service.room("empty", ["ann", "fay"], [])
    service.room("frozen", ["ann", "ben"], ["team"])
    service.post("frozen", "ann", "z1")
    service.call("PUT", "/rooms/frozen", {"status": 0})


def make_stays(service: Service) -> None:
    """Who left, who came back, who did both; journals of the left with chunks."""
    service.room("porch", ["ann", "ben", "cat", "dan", "eve"], ["green"])
    for number in range(40):
        message = service.post("porch", "ann", f"p{number}")
        for reader in ("ben", "cat"):
            service.read("porch", reader, message)
        if number == 20:
            service.call("POST", "/rooms/porch/delete/members", {"members": ["cat", "eve"]})
            service.call("POST", "/rooms/porch/members", {"invitees": ["cat", "fay"]})
        if number == 30:
            service.call("POST", "/rooms/porch/delete/members", {"members": ["ben", "fay"]})
            service.call("POST", "/rooms/porch/members", {"invitees": ["ben"]})
    service.call("POST", "/rooms/porch/delete/members", {"members": ["ben"]})


def make_crowds(service: Service) -> None:
    """Above the fan-out limit, one back below it, one deleted; and small deleted ones."""
    for name, members in (("crowd", CROWD), ("shrunk", CROWD[:10]), ("gone crowd", CROWD[:12])):
        service.room(name, ["ann", *members], ["team", "big"])
        for number in range(12):
            message = service.post(name, members[number % 5], f"{name}-{number}")
            if number % 2:
                service.read(name, members[5], message)
    service.call("POST", "/rooms/crowd/delete/members", {"members": CROWD[:2]})
    service.call("POST", "/rooms/shrunk/delete/members", {"members": CROWD[:8]})
    service.post("shrunk", "ann", "after")
    service.call("DELETE", "/rooms/gone%20crowd")
    service.room("gone", ["ann", "ben"], ["green"])
    service.post("gone", "ben", "g1")
    service.call("DELETE", "/rooms/gone")
    service.room("gone and made again", ["ann", "ben"], ["green"])
    service.post("gone and made again", "ben", "a1")
    service.call("DELETE", "/rooms/gone%20and%20made%20again")
    service.room("gone and made again", ["ann", "cat"], ["team"])
    service.post("gone and made again", "cat", "a2")


def make_client_room(service: Service) -> None:
    """With an invitation and a mark."""
    service.call("POST", "/rooms/createAndJoin", {"_id": "client room", "roomName": "C", "invitee": "ben"}, "dan")
    service.post("client room", "dan", "i1")
    asked = Asked("default", "rocketchat", "ben", "POST", "/api/v1/subscriptions.unread", {"roomId": "shed"})
    assert service.ask(asked)[0] == 200, service.ask(asked)


def make_tencent_rooms(service: Service) -> None:
    """A conversation with times, a group with acknowledgements and a count set by hand."""
    first = {"receiver": "cat", "sender": "ann", "messageType": "text", "message": "x", "_id": "1_1_1"}
    direct = service.call("POST", "/messages/batch", {"messages": [first]})["results"][0]["result"]
    for number in range(2, 6):
        service.post(
            direct["room"], "ann" if number % 2 else "cat", f"{number}_1_1", messageTimeMS=1_700_000_000_000 + number
        )
    service.tencent("openim/admin_set_msg_read", {"Report_Account": "cat", "Peer_Account": "ann"})
    service.post(direct["room"], "ann", "9_1_1")
    service.room("group", ["ann", "ben", "cat"], ["group"])
    for number in range(1, 6):
        service.post("group", "ann", str(number))
    service.tencent(
        "group_open_http_svc/group_msg_receipt",
        {"GroupId": "group", "From_Account": "ben", "MsgSeqList": [{"MsgSeq": 2}, {"MsgSeq": 4}]},
    )
    service.tencent(
        "group_open_http_svc/set_unread_msg_num", {"GroupId": "group", "Member_Account": "cat", "UnreadMsgNum": 2}
    )


def make_second_app(service: Service) -> None:
    """Of the same name as one of the first app."""
    service.room("garden", ["ann", "zoe"], ["other"], app="two")
    service.post("garden", "zoe", "o1", app="two")
    service.post("garden", "ann", "o2", app="two")


def make_rooms(service: Service) -> None:
    make_users(service)
    make_long_room(service)
    make_deletions(service)
    make_stays(service)
    make_crowds(service)
    make_client_room(service)
    make_tencent_rooms(service)
    make_second_app(service)


def questions() -> list[Asked]:
    """Everything that is asked of the store, by each release in the same way."""
    found: list[Asked] = []

    def ask(dialect: str, user: str, method: str, path: str, body: Any = None, app: str = "default") -> None:
        found.append(Asked(app, dialect, user, method, path, body))

    rooms: tuple[str, ...] = (
        "garden",
        "shed",
        "cleared",
        "empty",
        "frozen",
        "porch",
        "crowd",
        "shrunk",
        "gone crowd",
        "gone",
    )
    rooms += ("gone and made again", "client room", "group", "no such room")
    users = ("ann", "ben", "cat", "dan", "eve", "fay", "c00", "c05", "c09", "c13")
    for user in users:
        ask("imkit", user, "GET", "/me/badge")
        ask("imkit", user, "GET", "/rooms")
        ask("imkit", user, "GET", "/rooms/ids")
        ask("imkit", user, "GET", "/rooms?fields=unread")
        ask("imkit", user, "POST", "/badges/byRoomTags", {"tags": ["team", "green", "big", "none"]})
        ask("rocketchat", user, "GET", "/api/v1/subscriptions.get")
        ask("tencent", "", "POST", "/v4/openim/get_c2c_unread_msg_num", {"To_Account": user, "Peer_Account": ["ann"]})
    for room in rooms:
        name = quote(room)
        ask("imkit", "", "GET", f"/rooms/{name}")
        ask("imkit", "", "GET", f"/rooms/{name}/count")
        for user in users:
            ask("imkit", user, "GET", f"/rooms/{name}")
            ask("imkit", "", "GET", f"/rooms/{name}/members/{user}")
            ask("rocketchat", user, "GET", f"/api/v1/subscriptions.getOne?roomId={name}")
    ask_for_receipts(ask)
    for user in ("ann", "zoe"):
        ask("imkit", user, "GET", "/rooms", app="two")
        ask("imkit", user, "GET", "/me/badge", app="two")
    ask("imkit", "", "GET", "/rooms/garden", app="two")
    return found


def ask_for_receipts(ask: Any) -> None:
    messages = [f"s{number}" for number in range(20)] + ["hidden 1", "hidden 2"]
    for room, message in (
        *((room, message) for room in ("garden", "shed") for message in messages[::2]),
        *(("garden", f"garden message {number}") for number in range(1, LONG, 25)),
        *(("garden", f"{number:024x}") for number in range(2, LONG, 25)),
        *(("garden", f"{number:08x}-1111-4222-8333-444455556666") for number in range(3, LONG, 25)),
        *(("porch", f"p{number}") for number in range(0, 40, 3)),
        *(("crowd", f"crowd-{number}") for number in range(12)),
        *(("shrunk", f"shrunk-{number}") for number in range(12)),
        *(("group", str(number)) for number in range(1, 6)),
    ):
        ask("imkit", "", "GET", f"/rooms/{quote(room)}/messages/{quote(message)}/receipts")
        ask("rocketchat", "ann", "GET", f"/api/v1/chat.getMessageReadReceipts?messageId={quote(message)}")
    for room in ("garden", "porch", "crowd", "shrunk", "group"):
        listed = ["p10", "p25", "p39", "crowd-3", "shrunk-4", "1", "4", "garden message 296"]
        ask("imkit", "", "GET", f"/rooms/{room}/receipts?messages={quote(','.join(listed))}")
    for number in range(1, 6):
        body = {"GroupId": "group", "MsgSeqList": [{"MsgSeq": number}]}
        ask("tencent", "", "POST", "/v4/group_open_http_svc/get_group_msg_receipt", body)


def contents(client: Any) -> list[tuple[bytes, str, Any, int]]:
    """Every key with its type, what it holds, and for how many ms it stays."""
    readers = {
        "string": client.get,
        "hash": lambda key: sorted(client.hgetall(key).items()),
        "set": lambda key: sorted(client.smembers(key)),
        "zset": lambda key: [(member, repr(score)) for member, score in client.zrange(key, 0, -1, withscores=True)],
        "stream": lambda key: [(name, sorted(fields.items())) for name, fields in client.xrange(key)],
    }
    found = []
    for key in sorted(client.scan_iter(count=1000)):
        kind = client.type(key).decode()
        found.append((key, kind, readers[kind](key), client.pttl(key)))
    return found


def main(layout: str, target: str) -> None:
    import readstate

    checkout = Path(readstate.__file__).parents[2]
    commit = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="rs-") as directory:
        environ = {**os.environ, **SETTINGS, "READSTATE_DATA_DIR": directory}
        command = [sys.executable, "-m", "readstate"]
        serving = subprocess.Popen([*command, "serve"], env=environ, stdout=subprocess.DEVNULL)
        try:
            wait_until_ready()
            service = Service()
            added = subprocess.run(
                [*command, "apps", "add", "two"], env=environ, capture_output=True, text=True, check=True
            ).stdout
            service.api_keys["two"] = next(
                line.split()[-1] for line in added.splitlines() if line.startswith("API key")
            )
            time.sleep(3)  # until the worker knows the app
            make_rooms(service)
            asked = questions()
            for one in asked:
                one.status, one.answer = service.ask(one)
            time.sleep(2)
            for one in asked:
                assert service.ask(one) == (one.status, one.answer), f"an answer depends on the time: {one}"
            with redis.Redis(unix_socket_path=f"{directory}/valkey.sock") as client:
                keys = [key for key in contents(client) if key[0] != b"a:workers"]
        finally:
            serving.terminate()
            serving.wait(30)
    store = Store(commit, service.api_keys, SETTINGS, keys, asked)
    Path(target).write_bytes(gzip.compress(msgspec.msgpack.encode(store), mtime=0))
    statuses = {one.status: sum(other.status == one.status for other in asked) for one in asked}
    print(f"layout {layout}, {commit}: {len(keys)} keys, {len(asked)} answers, by status {statuses}")


def wait_until_ready() -> None:
    until = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"{BASE}/readyz", timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main(*sys.argv[1:])
