"""Access to the Tencent dialect: URL, UserSig, administrators and frequency, each with its code, in
order.

Every answer has status 200: clients repeat others for ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from readstate.dialects.access.credentials import MISSES_AT_ONCE
from readstate.dialects.tencent.api import HANDLERS
from readstate.settings import Settings
from tests.support.imkit import Imkit
from tests.support.tencent import ADMIN, SDKAPPID, Tencent, code, said, usersig, with_tencent

UNREAD = "openim/get_c2c_unread_msg_num"
COMMANDS = sorted(path.removeprefix("/") for handler in HANDLERS for path in handler.paths)
FINE = {"To_Account": "al"}


@pytest.fixture
def settings(settings: Settings, more: dict[str, Any]) -> Settings:
    return with_tencent(settings, **more)


@pytest.fixture
def more() -> dict[str, Any]:
    """The settings of a test."""
    return {}


@pytest_asyncio.fixture
async def tencent(imkit: Imkit) -> AsyncIterator[Tencent]:
    yield Tencent(imkit)


def test_the_commands() -> None:
    assert COMMANDS == [
        "group_open_http_svc/get_group_msg_receipt",
        "group_open_http_svc/get_group_msg_receipt_detail",
        "group_open_http_svc/group_msg_receipt",
        "group_open_http_svc/set_unread_msg_num",
        "openim/admin_set_msg_read",
        "openim/c2c_msg_read_receipt",
        "openim/get_c2c_unread_msg_num",
    ]


# Method and path


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "post"])
async def test_everything_is_posted(tencent: Tencent, method: str) -> None:
    for path in (*COMMANDS, "openim/nothing", "group_open_http_svc/nothing", "openim", ""):
        # httpx would write a method given as text in capitals.
        request = httpx.Request(method.encode(), f"http://test/v4/{path}")  # type: ignore[arg-type]
        answer = await tencent.imkit.client.send(request)
        assert answer.status_code == 200
        assert answer.content == b'{"ActionStatus":"FAIL","ErrorInfo":"HTTP parse Error","ErrorCode":60002}'


UNKNOWN_PATHS: list[Any] = [
    ("/v4", 60009),
    ("/v4/", 60009),
    ("/v4/openim", 60009),
    ("/v4/openim/", 60009),
    ("/v4/openim/nothing", 60009),
    ("/v4/openim/ADMIN_SET_MSG_READ", 60009),
    ("/v4/openim/admin_set_msg_read/more", 60009),
    ("/v4/group_open_http_svc", 60009),
    ("/v4/group_open_http_svc/nothing", 10003),
    ("/v4/group_open_http_svc/admin_set_msg_read", 10003),
    ("/v4/group_open_http_svc/a/b", 10003),
    ("/v4/recentcontact/get_list", 60009),
    ("/v4/group_open_http_SVC/nothing", 60009),
    ("/v3/openim/admin_set_msg_read", 60009),
    ("/v44/group_open_http_svc/nothing", 60009),
    ("/v4//openim//nothing", 60009),
    ("/v4/%00", 60009),
    ("/v4/openim/%0A", 60009),
    ("/v4/%ff", 60009),
    ("/v4/%1F/%2F", 60009),
]


async def test_unknown_paths(tencent: Tencent) -> None:
    """It comes before every other check."""
    for path, expected in UNKNOWN_PATHS:
        assert code(await tencent.imkit.client.post(path)) == expected, path


OTHER_PATHS: list[Any] = ["/v4x", "/v", "/v4.1/openim/admin_set_msg_read", "/vx/openim/admin_set_msg_read", "/v3/rooms"]


async def test_paths_beside_it_are_not_its_own(tencent: Tencent) -> None:
    for path in OTHER_PATHS:
        answer = await tencent.imkit.client.post(path)
        assert (answer.status_code, "RC" in answer.json()) == (404, True)


# The URL's parameters


WRONG_URLS: list[Any] = [
    ({"contenttype": "xml"}, 60002),
    ({"contenttype": ""}, 60002),
    ({"sdkappid": None}, 60012),
    ({"sdkappid": ""}, 60012),
    ({"sdkappid": "abc"}, 60012),
    ({"sdkappid": "-1"}, 60012),
    ({"sdkappid": "1400000001.0"}, 60012),
    ({"sdkappid": "\u0661"}, 60012),
    ({"sdkappid": "1400000002"}, 60006),
    ({"sdkappid": "9" * 5000}, 60006),
    ({"sdkappid": "0"}, 60006),
    ({f"x{number}": "1" for number in range(40)}, 60012),
    ({"identifier": None}, 60004),
    ({"identifier": ""}, 60004),
    ({"usersig": None}, 60004),
    ({"usersig": ""}, 70002),
    ({"usersig": "nonsense"}, 70003),
    ({"usersig": "x" * 3000}, 70003),
    ({"usersig": "\u00e9\ud7ff"}, 70003),
    ({"identifier": "alice"}, 70013),
]


@pytest.mark.parametrize("more", [{"address_rate_limit": 0}])
async def test_what_is_wrong_in_the_url(tencent: Tencent) -> None:
    for query, expected in WRONG_URLS:
        before = await tencent.imkit.everything()
        for command in COMMANDS:
            assert code(await tencent.call(command, {}, **query)) == expected, (command, query)
        assert await tencent.imkit.everything() == before


SIGNATURES: list[Any] = [
    ({"expire": -1}, ADMIN, 70003),
    ({"key": "0" * 64}, ADMIN, 70009),
    ({"sdkappid": SDKAPPID + 1}, ADMIN, 70014),
    ({"identifier": "alice"}, ADMIN, 70013),
    ({"identifier": "alice"}, "alice", 60010),
    ({"identifier": "Administrator"}, "Administrator", 60010),
]


async def test_signatures(tencent: Tencent) -> None:
    """Made now by the published library."""
    for signature, identifier, expected in SIGNATURES:
        assert code(await tencent.call(UNREAD, FINE, identifier=identifier, usersig=usersig(**signature))) == expected


async def test_a_signature_ends(tencent: Tencent) -> None:
    short = usersig(expire=1)
    assert code(await tencent.call(UNREAD, FINE, usersig=short)) == 0
    await asyncio.sleep(2.1)
    assert code(await tencent.call(UNREAD, FINE, usersig=short)) == 70001


FINE_URLS: list[Any] = [
    {"random": None},
    {"random": "-1"},
    {"random": "4294967296"},
    {"random": "x"},
    {"contenttype": None},
    {"contenttype": "JSON"},
    {"sdkappid": f"0{SDKAPPID}"},
    {"other": "x"},
]


async def test_what_does_not_matter_in_the_url(tencent: Tencent) -> None:
    for query in FINE_URLS:
        assert code(await tencent.call(UNREAD, FINE, **query)) == 0


async def test_a_signature_may_be_percent_encoded_or_not(tencent: Tencent) -> None:
    """The Python client encodes `*`, those for Go and Java do not."""
    bare = next(sig for sig in (usersig(expire=life) for life in range(86_400, 90_000)) if "*" in sig)
    for sent in (bare, bare.replace("*", "%2A").replace("-", "%2d").replace("_", "%5F")):
        url = f"/v4/{UNREAD}?sdkappid={SDKAPPID}&identifier={ADMIN}&usersig={sent}&random=1&contenttype=json"
        answer = await tencent.imkit.client.send(
            httpx.Request("POST", "http://test" + url, content=b'{"To_Account":"al"}')
        )
        assert code(answer) == 0


CONTENT_TYPES: list[Any] = [
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "text/plain",
    "nonsense",
    "",
]


async def test_a_body_is_json_whatever_it_is_said_to_be(tencent: Tencent) -> None:
    """Clients send one content type, another one or none."""
    for kind in CONTENT_TYPES:
        query = {"sdkappid": str(SDKAPPID), "identifier": ADMIN, "usersig": tencent.usersig}
        answer = await tencent.imkit.client.post(
            f"/v4/{UNREAD}", params=query, content=b'{"To_Account":"al"}', headers={"content-type": kind}
        )
        assert code(answer) == 0


async def test_what_is_said_of_the_content_type(tencent: Tencent) -> None:
    assert said(await tencent.call(UNREAD, FINE, contenttype="xml"))["ErrorInfo"] == "contenttype must be json"


# The order


async def test_the_first_fault_counts(tencent: Tencent) -> None:
    """Each mended mistake shows the next, down to the body."""
    mended: dict[str, Any] = {
        "contenttype": "xml",
        "sdkappid": "",
        "identifier": "",
        "usersig": usersig("alice", key="0" * 64, sdkappid=SDKAPPID + 1),
    }
    steps: list[tuple[int, dict[str, Any]]] = [
        (60002, {"contenttype": "json"}),
        (60012, {"sdkappid": "5"}),
        (60006, {"sdkappid": str(SDKAPPID)}),
        (60004, {"identifier": "bob"}),
        (70014, {"usersig": usersig("alice", key="0" * 64)}),
        (70013, {"identifier": "alice"}),
        (70009, {"usersig": usersig("alice")}),
        (60010, {"usersig": usersig(), "identifier": ADMIN}),
        (90001, {}),
    ]
    for expected, mending in steps:
        assert code(await tencent.call(UNREAD, b"not json", **mended)) == expected
        mended |= mending


# Settings


@pytest.mark.parametrize(
    "more", [{"tencent_sdkappid": None}, {"tencent_key": None}, {"tencent_sdkappid": None, "tencent_key": None}]
)
async def test_a_service_that_is_not_set_up_for_it_knows_no_app(tencent: Tencent) -> None:
    for command in COMMANDS:
        assert code(await tencent.call(command, FINE)) == 60006
        assert code(await tencent.call(command, FINE, sdkappid=None)) == 60012
    assert code(await tencent.call("group_open_http_svc/nothing", FINE)) == 10003


@pytest.mark.parametrize("more", [{"tencent_admin": "root, second admin,"}])
async def test_there_may_be_several_administrators(tencent: Tencent) -> None:
    for name, expected in (("root", 0), ("second admin", 0), (ADMIN, 60010), ("root,second admin", 60010)):
        assert code(await tencent.call(UNREAD, FINE, identifier=name, usersig=usersig(name))) == expected


@pytest.mark.parametrize("more", [{"tencent_key": "0" * 64}])
async def test_the_key_is_that_of_the_settings(tencent: Tencent) -> None:
    assert code(await tencent.call(UNREAD, FINE)) == 70009
    assert code(await tencent.call(UNREAD, FINE, usersig=usersig(key="0" * 64))) == 0


# Too many bad signatures


async def test_after_many_bad_signatures_the_next_ones_are_told_to_wait(tencent: Tencent) -> None:
    """Good ones still pass: behind a proxy, all callers share an address."""
    bad = usersig(key="0" * 64)
    for _ in range(MISSES_AT_ONCE):
        assert code(await tencent.call(UNREAD, FINE, usersig=bad)) == 70009
    refused = await tencent.call(UNREAD, FINE, usersig=bad)
    assert (refused.status_code, code(refused), refused.headers["retry-after"]) == (200, 70050, "1")
    assert code(await tencent.call(UNREAD, FINE, usersig="")) == 70050
    assert code(await tencent.call(UNREAD, FINE)) == 0
    assert code(await tencent.call(UNREAD, FINE, usersig=usersig(expire=1000))) == 0


# Frequency


async def burst(tencent: Tencent, command: str, calls: int) -> list[int]:
    """The codes of this many calls within a second. A slow machine tries again."""
    for _ in range(10):
        began_s = time.monotonic()
        answers = await asyncio.gather(*(tencent.call(command, FINE) for _ in range(calls)))
        if time.monotonic() - began_s < 0.9:
            return [code(answer) for answer in answers]
        await asyncio.sleep(1.1)
    raise AssertionError(f"{calls} calls took more than a second each time")


@pytest.mark.parametrize("more", [{"tencent_rate_limit": 200}])
async def test_the_201st_call_of_a_second_is_one_too_many(tencent: Tencent) -> None:
    """By command, with status 200, since clients repeat a 429 at once."""
    assert await burst(tencent, UNREAD, 201) == [0] * 200 + [60007]
    assert code(await tencent.call("openim/admin_set_msg_read", {"Report_Account": "al", "Peer_Account": "bo"})) == 0
    await asyncio.sleep(1.1)
    assert code(await tencent.call(UNREAD, FINE)) == 0


@pytest.mark.parametrize("more", [{"tencent_rate_limit": 2}])
async def test_only_calls_that_are_let_in_count(tencent: Tencent) -> None:
    for _ in range(5):
        assert code(await tencent.call(UNREAD, FINE, usersig=usersig(key="0" * 64))) == 70009
    assert await burst(tencent, UNREAD, 3) == [0, 0, 60007]


@pytest.mark.parametrize("more", [{"tencent_rate_limit": 1}])
async def test_a_bad_body_is_a_call_and_is_not_looked_at_beyond_the_limit(tencent: Tencent) -> None:
    answers = await asyncio.gather(*(tencent.call("openim/admin_set_msg_read", b"x") for _ in range(2)))
    assert sorted(code(answer) for answer in answers) == [60007, 90001]


def test_by_default_200_calls_a_second() -> None:
    assert Settings.from_environ({}).tencent_rate_limit == 200
    assert Settings.from_environ({"READSTATE_TENCENT_RATE_LIMIT": "0"}).tencent_rate_limit == 0
