"""What callers of the Rocket.Chat dialect see when the service fails, and unusual requests on a
real socket.
"""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from readstate.errors import Unavailable, UnknownOutcome
from readstate.settings import Settings
from tests.support.imkit import API_KEY, result
from tests.support.rocketchat import PATH, Rocketchat, failed, seen
from tests.support.served import served
from tests.support.servers import Server


@pytest.fixture
async def al(rocketchat: Rocketchat) -> Rocketchat:
    await rocketchat.backend.room("r", "al")
    await rocketchat.backend.sign_in("al")
    return rocketchat


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Unavailable("x"), "Service unavailable: nothing was done; try again"),
        (
            UnknownOutcome("x"),
            "Service unavailable: it is unknown whether this was done; ask for the present state before you repeat it",
        ),
    ],
)
async def test_a_store_that_fails(
    al: Rocketchat, monkeypatch: pytest.MonkeyPatch, fault: Exception, expected: str
) -> None:
    al.backend.fail(monkeypatch, "mark_read_until", fault)
    answer = await al.post("al", "subscriptions.read", {"rid": "r"})
    assert seen(answer) == failed(expected, status=503)
    assert answer.headers["retry-after"] == "1"


async def test_a_fault_of_ours_tells_nothing_and_is_logged(
    al: Rocketchat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    al.backend.fail(monkeypatch, "subscriptions", ZeroDivisionError("a secret detail"))
    assert seen(await al.get("al", "subscriptions.get")) == failed("Internal server error", status=500)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.__dict__["operation"] == "rocketchat_subscriptions"
    assert record.exc_info is not None


async def test_calls_are_measured_by_name_and_outcome(al: Rocketchat) -> None:
    await al.read("al", "r")
    await al.post("al", "subscriptions.read", {"rid": "x"})
    await al.client.get(f"{PATH}/subscriptions.get")
    lines = (await al.client.get("/metrics")).text.splitlines()
    for operation, outcome in (
        ("rocketchat_read", "ok"),
        ("rocketchat_read", "error-invalid-subscription"),
        ("rocketchat_subscriptions", "unauthorized"),
    ):
        assert any(f'"{operation}"' in line and f'"{outcome}"' in line for line in lines), (operation, outcome)


@pytest.fixture
def url(settings: Settings, own_server: Server) -> Iterator[str]:
    """The service behind a real socket, on that server, where al is in room r."""
    with served(msgspec.structs.replace(settings, redis_url=own_server.url)) as url:
        result(httpx.post(f"{url}/rooms", headers={"IM-API-KEY": API_KEY}, json={"_id": "r", "members": ["al"]}))
        yield url


@pytest.fixture
def headers(url: str) -> dict[str, str]:
    body = {"_id": "al", "issueAccessToken": True}
    return {
        "X-Auth-Token": result(httpx.post(f"{url}/admin/clients", headers={"IM-API-KEY": API_KEY}, json=body))["token"],
        "X-User-Id": "al",
    }


def test_without_its_store(url: str, headers: dict[str, str], own_server: Server) -> None:
    own_server.stop()
    answer = httpx.get(f"{url}{PATH}/subscriptions.get", headers=headers)
    assert (answer.status_code, answer.json()["success"], answer.headers["retry-after"]) == (503, False, "1")


def test_head_has_no_body(url: str, headers: dict[str, str]) -> None:
    """One connection: surplus bytes would be read as the next answer."""
    with httpx.Client(base_url=url, headers=headers) as client:
        for _ in range(3):
            head, get = client.head(f"{PATH}/subscriptions.get"), client.get(f"{PATH}/subscriptions.get")
            assert (head.status_code, head.content, get.status_code) == (200, b"", 200)
            assert head.headers["content-length"] == str(len(get.content))


def test_a_caller_that_goes_away_in_the_middle_of_its_body(
    url: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """It is not counted as a failure, and the next call is answered."""
    there = urlsplit(url)
    lines = [
        f"POST {PATH}/subscriptions.read HTTP/1.1",
        "Host: x",
        "Content-Length: 100",
        *(f"{n}: {v}" for n, v in headers.items()),
    ]
    with socket.create_connection((there.hostname, there.port)) as connection:
        connection.sendall("\r\n".join([*lines, "", '{"rid":']).encode())
    assert httpx.post(f"{url}{PATH}/subscriptions.read", headers=headers, json={"rid": "r"}).status_code == 200
    assert [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")] == []


def test_a_body_in_chunks(url: str, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{url}{PATH}/subscriptions.read", headers=headers, content=iter([b'{"ri', b'd":"', b'r"}']))
    assert answer.json() == {"success": True}


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "multipart/form-data", "application/json; charset=latin-1", "\xff", "APPLICATION/JSON"],
)
def test_a_body_of_another_type_is_read_as_json(url: str, headers: dict[str, str], content_type: str) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent.append((b"Content-Type", content_type.encode("latin-1")))
    assert httpx.post(f"{url}{PATH}/subscriptions.read", headers=sent, content=b'{"rid":"r"}').json() == {
        "success": True
    }
