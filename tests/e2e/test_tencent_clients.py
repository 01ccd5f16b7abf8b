"""The Tencent dialect with published clients: PyPI's `tencentcloud-sdk-python-im` and
`tls-sig-api-v2`, over HTTP to a real process.
"""

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
import requests
from tencentcloud_im.tcim_client import TCIMClient

from readstate.domain.direct import direct_room
from tests.support.devices import API_KEY, CLIENT_KEY
from tests.support.processes import ServiceProcess, own_service
from tests.support.tencent import ADMIN, KEY, SDKAPPID, usersig


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceProcess]:
    """`readstate serve` with two workers and the default limit of 200 calls a second."""
    settings = {"tencent_sdkappid": SDKAPPID, "tencent_key": KEY, "api_key": API_KEY, "client_key": CLIENT_KEY}
    with own_service(workers=2, **settings) as process:
        yield process


@pytest.fixture(scope="module")
def client(service: ServiceProcess) -> TCIMClient:
    return TCIMClient(SDKAPPID, KEY, ADMIN, tencent_url=f"{service.url}/v4")


@pytest.fixture
def backend(service: ServiceProcess) -> Iterator[httpx.Client]:
    """The chat product's backend, which sends the callbacks."""
    with httpx.Client(base_url=service.url, headers={"IM-API-KEY": API_KEY}, timeout=20) as client:
        yield client


def converse(backend: httpx.Client, one: str, other: str, *messages: tuple[str, str]) -> None:
    """A conversation of two accounts with (sender, MsgKey) in it."""
    room = direct_room(one, other)
    backend.post("/rooms/", json={"_id": room, "members": [one, other], "roomTags": ["direct"]}).raise_for_status()
    post(backend, room, *messages)


def gather(backend: httpx.Client, group: str, *members: str, messages: tuple[tuple[str, str], ...] = ()) -> None:
    """A group with (sender, MsgSeq) in it."""
    backend.post("/rooms/", json={"_id": group, "members": members, "groupType": "Public"}).raise_for_status()
    post(backend, group, *messages)


def post(backend: httpx.Client, room: str, *messages: tuple[str, str]) -> None:
    for sender, message in messages:
        backend.post("/messages", json={"_id": message, "room": room, "sender": sender}).raise_for_status()


def said(answer: requests.Response | None) -> dict[str, Any]:
    assert answer is not None, "the client could not call"
    assert answer.status_code == 200
    return dict(answer.json())


OK = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}


def test_reading_a_conversation(client: TCIMClient, backend: httpx.Client) -> None:
    """Two conversations; one is read, and the other still counts."""
    converse(backend, "dramon1", "dramon2", ("dramon2", "1_1_1700000000"), ("dramon2", "2_2_1700000000"))
    converse(backend, "dramon1", "teacher", ("teacher", "3_3_1700000000"))
    assert said(client.get_unread_num("dramon1")) == OK | {"AllC2CUnreadMsgNum": 3}
    assert said(client.get_unread_num("dramon1", ["dramon2", "teacher"])) == OK | {
        "C2CUnreadMsgNumList": [
            {"Peer_Account": "dramon2", "C2CUnreadMsgNum": 2},
            {"Peer_Account": "teacher", "C2CUnreadMsgNum": 1},
        ]
    }
    assert said(client.set_user_message_read("dramon1", "dramon2")) == OK
    assert said(client.get_unread_num("dramon1")) == OK | {"AllC2CUnreadMsgNum": 1}


def test_reading_up_to_a_time(client: TCIMClient, backend: httpx.Client) -> None:
    converse(backend, "ann", "bob", ("bob", "1_1_1700000000"))
    assert said(client.set_user_message_read("ann", "bob", 1_700_000_000)) == OK
    assert said(client.get_unread_num("ann"))["AllC2CUnreadMsgNum"] == 1
    assert said(client.set_user_message_read("ann", "bob", int(time.time()))) == OK
    assert said(client.get_unread_num("ann"))["AllC2CUnreadMsgNum"] == 0


def test_a_members_unread_messages_of_a_group(client: TCIMClient, backend: httpx.Client) -> None:
    gather(backend, "@TGS#1", "ann", "bob", messages=tuple(("ann", str(seq)) for seq in range(1, 8)))
    for wanted, unread in ((0, 0), (5, 5), (100, 7)):
        assert said(client.set_group_unread_msg_num("@TGS#1", "bob", wanted)) == OK
        answer = backend.get("/me/badge", headers={"IM-CLIENT-ID": "bob"}, params={"roomTags": []}).json()
        assert answer["result"]["badge"] - said(client.get_unread_num("bob"))["AllC2CUnreadMsgNum"] == unread


def test_what_is_not_offered_is_said_in_the_clients_words(client: TCIMClient) -> None:
    """With status 200 and the code for an unknown command."""
    assert said(client.draw_message("a", "b", "31906_833502_1572869830"))["ErrorCode"] == 60009
    assert said(client.recall_group_message("@TGS#1", [100, 101]))["ErrorCode"] == 10003


@pytest.mark.parametrize(
    ("sdkappid", "key", "admin", "code"),
    [(SDKAPPID, "0" * 64, ADMIN, 70009), (SDKAPPID + 1, KEY, ADMIN, 60006), (SDKAPPID, KEY, "bob", 60010)],
)
def test_a_client_that_is_set_up_wrongly(
    service: ServiceProcess, sdkappid: int, key: str, admin: str, code: int
) -> None:
    wrong = TCIMClient(sdkappid, key, admin, tencent_url=f"{service.url}/v4")
    assert said(wrong.get_unread_num("ann"))["ErrorCode"] == code


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("openim/admin_set_msg_read", '{"Report_Account": "dramon1", "Peer_Account": "dramon2"}'),
        (
            "openim/admin_set_msg_read",
            '{"Report_Account": "dramon1", "Peer_Account": "dramon2", "MsgReadTime": 1700000000}',
        ),
        ("openim/get_c2c_unread_msg_num", '{"To_Account": "dramon1"}'),
        ("openim/get_c2c_unread_msg_num", '{"To_Account": "dramon1", "Peer_Account": ["dramon2", "teacher"]}'),
        ("group_open_http_svc/set_unread_msg_num", '{"GroupId": "@TGS#1", "Member_Account": "bob", "UnreadMsgNum": 5}'),
    ],
)
def test_requests_as_they_were_captured(
    service: ServiceProcess, backend: httpx.Client, command: str, body: str
) -> None:
    """No content type at all, and a UserSig with `*` percent-encoded, as the client sends them."""
    gather(backend, "@TGS#1", "ann", "bob")
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=20)
    query = (
        f"sdkappid={SDKAPPID}&identifier={ADMIN}&usersig={quote(usersig(), safe='')}&random=130462168&contenttype=json"
    )
    connection.putrequest("POST", f"/v4/{command}?{query}", skip_accept_encoding=True)
    connection.putheader("User-Agent", "python-requests/2.x")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("content-type")) == (200, "application/json; charset=utf-8")
    assert json.loads(answer.read())["ErrorCode"] == 0
    connection.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH"])
def test_other_methods_have_status_200(service: ServiceProcess, method: str) -> None:
    answer = requests.request(method, f"{service.url}/v4/openim/admin_set_msg_read", timeout=20)
    assert answer.status_code == 200
    assert answer.content == (
        b"" if method == "HEAD" else b'{"ActionStatus":"FAIL","ErrorInfo":"HTTP parse Error","ErrorCode":60002}'
    )


def test_a_body_that_is_too_large_has_status_200(service: ServiceProcess) -> None:
    query = {"sdkappid": str(SDKAPPID), "identifier": ADMIN, "usersig": usersig()}
    for size in (13_000, 100_000):
        answer = requests.post(
            f"{service.url}/v4/openim/admin_set_msg_read", params=query, data=b" " * size, timeout=20
        )
        assert said(answer)["ErrorCode"] == 93000


def test_the_limit_is_for_all_workers_together(service: ServiceProcess) -> None:
    """More than 200 calls of a command in a second are answered 60007 with status 200.

    A slow machine tries again.
    """
    query = {"sdkappid": str(SDKAPPID), "identifier": ADMIN, "usersig": usersig()}
    with httpx.Client(base_url=service.url, timeout=20) as http_client, ThreadPoolExecutor(16) as threads:

        def call(_: int) -> httpx.Response:
            return http_client.post("/v4/openim/get_c2c_unread_msg_num", params=query, content=b'{"To_Account":"al"}')

        for _ in range(10):
            time.sleep(1.1)
            began_s = time.monotonic()
            answers = list(threads.map(call, range(260)))
            if time.monotonic() - began_s < 0.95:
                break
        else:
            pytest.skip("260 calls took more than a second each time")
    codes = [answer.json()["ErrorCode"] for answer in answers]
    assert {answer.status_code for answer in answers} == {200}
    assert (codes.count(0), codes.count(60007)) == (200, 60)


def test_who_breaks_off_in_the_middle_of_a_body_is_no_fault_of_ours(
    service: ServiceProcess, backend: httpx.Client
) -> None:
    """Nothing is logged, and nothing counted among the failures."""
    before = len(service.logged)
    query = f"sdkappid={SDKAPPID}&identifier={ADMIN}&usersig={quote(usersig())}&contenttype=json"
    url = f"/v4/openim/get_c2c_unread_msg_num?{query}"
    for sent in (b"", b'{"To_Ac'):
        broken = http.client.HTTPConnection(urlsplit(service.url).netloc)
        broken.putrequest("POST", url)
        broken.putheader("Content-Length", "20")
        broken.endheaders(sent)
        time.sleep(0.1)
        broken.close()
    time.sleep(0.2)
    assert service.logged[before:] == []
    assert 'operation="get_c2c_unread_msg_num",outcome="90994"' not in backend.get("/metrics").text
