"""Bad callbacks get a clear answer in Tencent's form, never a 5xx, and change nothing."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readstate.dialects.tencent.callbacks.commands import COMMANDS
from readstate.domain.limits import MAX_BATCH_BODY_BYTES
from tests.support import tencent_callbacks as told
from tests.support.examples import examples
from tests.support.servers import Server
from tests.support.tencent_callbacks import OK, Tencent, fail, running

ACCOUNT = "Expected `str` matching regex "
GROUP = "GroupId must have 1 to 95 printable ASCII characters, TopicId up to 96; they must not be . or .."
KEY = "MsgKey must be MsgSeq_MsgRandom_MsgTime"

EVERY = [
    told.direct_sent("bo", "al", 1),
    told.direct_recalled("bo", "al", 1),
    told.direct_read("al", "bo", 1_700_000_000),
    told.direct_receipts("al", "bo", told.key(1)),
    told.all_read("al", 1_700_000_000_000, g=1),
    told.group_sent("g", "bo", 1, TopicId="g@TOPIC#_t"),
    told.group_recalled("g", 1),
    told.group_receipts("g", 1, "al"),
    told.group_created("g", "al", "bo", kind="Community"),
    told.joined("g", "cy", kind="Community"),
    told.left("g", "cy", kind="Community"),
    told.topic_created("g", "g@TOPIC#_t"),
    told.topic_destroyed("g", "g@TOPIC#_t"),
    told.destroyed("g", "al", kind="Community"),
]
NAMES = sorted({name for _, body in EVERY for name in body})


@pytest.fixture(scope="module")
def tencent(server: Server, runner: asyncio.Runner) -> Iterator[Tencent]:
    """A running service for all tests of this file."""
    with running(server.url, runner) as tencent:
        yield tencent


def understood(answer: httpx.Response) -> None:
    """The answer helps the sender and does not ask for a repeat."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"ActionStatus", "ErrorInfo", "ErrorCode"}
    assert (body["ActionStatus"], body["ErrorCode"]) in (("OK", 0), ("FAIL", 1))
    assert bool(body["ErrorInfo"]) is (body["ActionStatus"] == "FAIL")


def test_every_command_is_tried() -> None:
    assert {command for command, _ in EVERY} == set(COMMANDS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"7",
        b"{",
        b"not json",
        b'{"CallbackCommand":7}',
        b'{"CallbackCommand":"\xff"}',
        b'{"CallbackCommand":"\\ud800"}',
        b'{"CallbackCommand":"C2C.CallbackAfterSendMsg"} {}',
        b'{"CallbackCommand":' + b"[" * 60_000,
        b"[" * 60_000,
        b'\xef\xbb\xbf{"CallbackCommand":"C2C.CallbackAfterSendMsg"}',
    ],
    ids=lambda body: str(body[:40]),
)
def test_what_is_no_json_object_fails(tencent: Tencent, runner: asyncio.Runner, body: bytes) -> None:
    """Status 200, because a repeat would not help."""
    answer = runner.run(tencent.send("C2C.CallbackAfterSendMsg", body))
    understood(answer)
    assert answer.json()["ActionStatus"] == "FAIL"


def test_a_body_over_the_limit_fails(tencent: Tencent, runner: asyncio.Runner) -> None:
    answer = runner.run(tencent.send("C2C.CallbackAfterSendMsg", b" " * (MAX_BATCH_BODY_BYTES + 1)))
    assert (answer.status_code, answer.content) == (200, fail("A body must have at most 1048576 bytes"))


def test_deeply_nested_contents_fail(tencent: Tencent, runner: asyncio.Runner) -> None:
    command, body = told.direct_sent("bo", "al", 1)
    text = msgspec.json.encode({"CallbackCommand": command, **body, "MsgBody": 0}).replace(
        b'"MsgBody":0', b'"MsgBody":' + b"[" * 60_000
    )
    understood(runner.run(tencent.send(command, text)))


@pytest.mark.parametrize(
    ("callback", "info"),
    [
        (told.direct_sent("", "al", 1), "From_Account"),
        (told.direct_sent("bo", "x" * 33, 1), "To_Account"),
        (told.direct_sent("bo", "\u00e9", 1), "To_Account"),
        (told.direct_sent("bo\n", "al", 1), "From_Account"),
        (told.direct_sent("bo", "al", 1, From_Account=7), "Expected `str`, got `int` - at `$.From_Account`"),
        (told.direct_sent("bo", "al", 1, From_Account=None), "Expected `str`, got `null` - at `$.From_Account`"),
        (told.direct_sent("bo", "al", 1, MsgKey=""), KEY),
        (told.direct_sent("bo", "al", 1, MsgKey="1_2"), KEY),
        (told.direct_sent("bo", "al", 1, MsgKey="1_4294967296_3"), KEY),
        (told.direct_sent("bo", "al", 1, MsgKey="\u0661_2_3"), KEY),
        (told.direct_sent("bo", "al", 1, MsgTime=1_700_000_000_000), "Expected `int` <= 99999999999 - at `$.MsgTime`"),
        (told.direct_sent("bo", "al", 1, MsgTime=-1), "Expected `int` >= 0 - at `$.MsgTime`"),
        (told.direct_sent("bo", "al", 1, EventTime="soon"), "Expected `int | null`, got `str` - at `$.EventTime`"),
        (told.direct_read("al", "bo", 10**13), "Expected `int` <= 99999999999 - at `$.LastReadTime`"),
        (told.group_sent("", "bo", 1), GROUP),
        (told.group_sent("g" * 96, "bo", 1), GROUP),
        (told.group_sent("\u7fa4", "bo", 1), GROUP),
        (told.group_sent("tencent·order:1", "bo", 1), GROUP),
        (told.group_sent("direct:2:al:bo", "bo", 1), GROUP),
        (told.group_sent("g", "bo", 1, TopicId="\0"), GROUP),
        (told.group_sent("g", "bo", 0), "Expected `int` >= 1 - at `$.MsgSeq`"),
        (told.group_sent("g", "bo", 2**53), "Expected `int` <= 9007199254740991 - at `$.MsgSeq`"),
        (told.group_recalled("g", -1), "Expected `int` >= 1 - at `$.MsgSeqList[0].MsgSeq`"),
        (
            told.group_recalled("g", MsgSeqList=[{"MsgSeq": 1}] * 10_001),
            "Expected `array` of length <= 10000 - at `$.MsgSeqList`",
        ),
        (told.group_created("g", "al", kind="x" * 65), "Expected `str` of length <= 64 - at `$.Type`"),
        (told.joined("g", ""), "Member_Account"),
        (told.topic_destroyed("g", ""), "Expected `str` of length >= 1 - at `$.TopicId`"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_with_a_field_is_said(
    tencent: Tencent, runner: asyncio.Runner, callback: told.Callback, info: str
) -> None:
    answer = runner.run(tencent.send(*callback))
    understood(answer)
    assert (answer.json()["ActionStatus"], info in answer.json()["ErrorInfo"]) == ("FAIL", True), answer.text


@pytest.mark.parametrize(("command", "body"), EVERY, ids=lambda value: value if isinstance(value, str) else None)
def test_a_callback_without_one_of_its_fields(
    tencent: Tencent, runner: asyncio.Runner, command: str, body: dict[str, Any]
) -> None:
    """A callback with a missing field is carried out or refused."""
    for name in body:
        understood(runner.run(tencent.send(command, {field: value for field, value in body.items() if field != name})))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.sampled_from(["g", "al", "bo", "1_7_1700000000", "Community", "", "0", "-1", "1e15"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.sampled_from(EVERY), st.dictionaries(st.sampled_from(NAMES), json_values, max_size=4))
@examples(200, 600)
def test_hostile_fields_never_hurt(
    tencent: Tencent, runner: asyncio.Runner, callback: told.Callback, changes: dict[str, Any]
) -> None:
    command, body = callback
    understood(runner.run(tencent.send(command, {**body, **changes})))


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), json_values, max_size=8),
)
@examples(100, 300)
def test_hostile_bodies_never_hurt(
    tencent: Tencent, runner: asyncio.Runner, command: str, body: dict[str, Any]
) -> None:
    understood(runner.run(tencent.send(command, body)))


@given(st.sampled_from(sorted(COMMANDS)), st.binary(max_size=200))
def test_hostile_bytes_never_hurt(tencent: Tencent, runner: asyncio.Runner, command: str, body: bytes) -> None:
    understood(runner.run(tencent.send(command, body)))


@given(st.binary(max_size=300) | st.text(alphabet="&;=%+Sign20", max_size=60).map(str.encode))
def test_hostile_queries_never_hurt(tencent: Tencent, runner: asyncio.Runner, query: bytes) -> None:
    """None authenticates. They come as a server passes them on, which httpx would not send."""
    path = "/tencent/callbacks"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [],
    }
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    runner.run(tencent.imkit.service(scope, receive, send))
    assert said[0]["status"] == 401


def test_the_service_is_alive_after_all_this(tencent: Tencent, runner: asyncio.Runner) -> None:
    assert runner.run(tencent.send("C2C.CallbackAfterSendMsg", told.direct_sent("bo", "al", 99)[1])).content == OK
