"""One request to one receiver: every outcome, and limits on what a receiver can do."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest
import pytest_asyncio

from readstate.webhooks.forms import Answer, WebhookRequest
from readstate.webhooks.sender import MAX_ANSWER_BYTES, TIMEOUT_S, Sender
from tests.support.receiver import CUT, HANG, RESET, STREAM, Receiver, Reply

STANDARD = WebhookRequest(b'{"type":"read"}', {"webhook-id": "read_1"})
TENCENT = WebhookRequest(b"{}", {}, "SdkAppid=1&Sign=a", wants_json=True)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


def sender_to(url: str) -> Sender:
    return Sender(url, allow_private=True, tls=ssl.create_default_context())


async def sent(receiver: Receiver, reply: Reply, request: WebhookRequest = STANDARD) -> Answer:
    receiver.answer = lambda call: reply
    async with sender_to(receiver.url) as sender:
        return await sender.send(request)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_accepts_a_standard_letter(receiver: Receiver, status: int) -> None:
    """Whatever the body says, and whether or not it ends as announced."""
    assert (await sent(receiver, Reply(status, body=b""))).reason == ""
    assert (await sent(receiver, Reply(status, body=b"no JSON" if status != 204 else b""))).reason == ""


@pytest.mark.parametrize("how", [CUT, STREAM])
async def test_the_status_has_said_it_all(receiver: Receiver, how: str) -> None:
    """A body that breaks off or never ends changes nothing, and takes no longer than the limit."""
    began = time.monotonic()
    assert (await sent(receiver, Reply(200, how=how))).reason == ""
    assert time.monotonic() - began < TIMEOUT_S + 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(301, "status_3xx"), (400, "status_4xx"), (404, "status_4xx"), (500, "status_5xx"), (503, "status_5xx")],
)
async def test_any_other_status_is_a_failure(receiver: Receiver, status: int, reason: str) -> None:
    for request in (STANDARD, TENCENT):
        assert (await sent(receiver, Reply(status), request)).reason == reason


async def test_status_410_says_that_no_more_is_wanted(receiver: Receiver) -> None:
    answer = await sent(receiver, Reply(410))
    assert (answer.reason, answer.is_gone) == ("status_4xx", True)
    assert not (await sent(receiver, Reply(404))).is_gone


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}', ""),
        (b'{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":1}', ""),
        (b"", "not_json"),
        (b"OK", "not_json"),
        (b"\xff", "not_json"),
        (b"[" * 60_000, "not_json"),
        (b" " * (MAX_ANSWER_BYTES + 1), "not_json"),
    ],
)
async def test_tencents_form_wants_json(receiver: Receiver, body: bytes, reason: str) -> None:
    """Its error code does not matter."""
    assert (await sent(receiver, Reply(200, body=body), TENCENT)).reason == reason
    assert receiver.calls[0].target == "/hook?SdkAppid=1&Sign=a"


@pytest.mark.parametrize("status", [201, 202, 204, 299])
async def test_tencents_form_wants_status_200(receiver: Receiver, status: int) -> None:
    """Another 2xx with JSON is a success for Standard Webhooks only."""
    answer = await sent(receiver, Reply(status, body=b"{}" if status != 204 else b""), TENCENT)
    assert (answer.reason, answer.detail) == ("status_2xx", f"status {status}")


async def test_tencents_form_wants_the_whole_answer(receiver: Receiver) -> None:
    answer = await sent(receiver, Reply(200, how=CUT), TENCENT)
    assert answer.reason == "connection"
    assert (await sent(receiver, Reply(200, how=STREAM), TENCENT)).reason in ("not_json", "timeout")


async def test_a_receiver_that_hangs_is_given_up_in_time(receiver: Receiver) -> None:
    began = time.monotonic()
    assert (await sent(receiver, Reply(how=HANG))).reason == "timeout"
    assert TIMEOUT_S - 0.1 < time.monotonic() - began < TIMEOUT_S + 1


async def test_a_reset_and_a_closed_port_are_failures(receiver: Receiver) -> None:
    assert (await sent(receiver, Reply(how=RESET))).reason == "connection"
    async with sender_to("http://127.0.0.1:1/") as sender:
        assert (await sender.send(STANDARD)).reason == "connection"


async def test_a_name_that_nobody_knows_is_a_failure() -> None:
    async with Sender("http://nobody.invalid/", allow_private=True, tls=ssl.create_default_context()) as sender:
        assert (await sender.send(STANDARD)).reason in ("dns", "timeout")


@pytest.mark.parametrize(
    ("status", "value", "seconds", "is_busy"),
    [
        (429, "7", 7, True),
        (503, "7", 7, True),
        (500, "7", 7, False),
        (429, "99999999", 3600, True),
        (429, "-7", 0, False),
        (429, "soon", 0, False),
        (429, "1" * 400, 0, False),
        (429, "٣", 0, False),
        (429, formatdate(0, usegmt=True), 0, False),
        (429, "Mon, 01 Jan 99999999 00:00:00 GMT", 0, False),
    ],
)
async def test_retry_after_is_believed_within_bounds(
    receiver: Receiver, status: int, value: str, seconds: float, is_busy: bool
) -> None:
    """At most an hour. Only 429 and 503 speak for the whole receiver."""
    header = value.encode().decode("latin-1")
    answer = await sent(receiver, Reply(status, {"Retry-After": header}))
    assert (answer.retry_after_s, answer.is_busy) == (seconds, is_busy)


async def test_retry_after_may_be_a_date(receiver: Receiver) -> None:
    answer = await sent(receiver, Reply(429, {"Retry-After": formatdate(time.time() + 60, usegmt=True)}))
    assert 50 < answer.retry_after_s <= 60


async def test_a_connection_is_used_again(receiver: Receiver) -> None:
    async with sender_to(receiver.url) as sender:
        for _ in range(10):
            assert (await sender.send(STANDARD)).reason == ""
    assert (len(receiver.calls), receiver.connections) == (10, 1)


async def test_a_body_without_end_costs_its_connection_only(receiver: Receiver) -> None:
    receiver.answer = lambda call: Reply(200, how=STREAM if len(receiver.calls) == 1 else "")
    async with sender_to(receiver.url) as sender:
        assert [(await sender.send(STANDARD)).reason for _ in range(3)] == ["", "", ""]
    assert receiver.connections == 2


async def test_many_letters_go_side_by_side(receiver: Receiver) -> None:
    """A hundred timeouts at once take as long as one."""
    receiver.answer = lambda call: Reply(how=HANG)
    began = time.monotonic()
    async with sender_to(receiver.url) as sender:
        answers = await asyncio.gather(*(sender.send(STANDARD) for _ in range(100)))
    assert {answer.reason for answer in answers} == {"timeout"}
    assert time.monotonic() - began < 2 * TIMEOUT_S


async def test_what_is_sent_is_what_was_written(receiver: Receiver) -> None:
    """The headers of the request, and nothing that the receiver set before."""
    receiver.answer = lambda call: Reply(headers={"Set-Cookie": "a=b; Path=/"})
    async with sender_to(receiver.url + "?a=%2F&b=c") as sender:
        await sender.send(STANDARD)
        await sender.send(TENCENT)
    standard, tencent = receiver.calls
    assert (standard.target, standard.body, standard.id) == ("/hook?a=%2F&b=c", STANDARD.body, "read_1")
    assert standard.headers["content-type"] == "application/json"
    assert tencent.target == "/hook?a=%2F&b=c&SdkAppid=1&Sign=a"
    assert "cookie" not in tencent.headers


async def test_compressed_answers_are_neither_asked_for_nor_unpacked(receiver: Receiver) -> None:
    """A small body can unpack to gigabytes."""
    answer = await sent(receiver, Reply(headers={"Content-Encoding": "gzip"}, body=b"not gzip at all"))
    assert (answer.reason, receiver.calls[0].headers["accept-encoding"]) == ("", "identity")


async def test_headers_without_end_are_cut_off(receiver: Receiver) -> None:
    assert (await sent(receiver, Reply(headers={"X-Long": "a" * 1_000_000}))).reason == "connection"


async def test_what_a_receiver_says_wrongly_is_told_in_one_printable_line(receiver: Receiver) -> None:
    """It ends up in dead letters, and in a terminal."""
    answer = await sent(receiver, Reply(headers={"Bad Header\x1b[31m": "a\nb"}))
    assert answer.reason == "connection"
    assert answer.detail.isprintable()


async def test_what_went_wrong_never_shows_the_url(receiver: Receiver) -> None:
    """Its query may hold a secret of the receiver, and holds Tencent's signature."""
    receiver.answer = lambda call: Reply(headers={"Bad Header": "a"})
    async with sender_to(receiver.url + "?key=secret") as sender:
        answers = [await sender.send(request) for request in (STANDARD, TENCENT)]
    assert [answer.reason for answer in answers] == ["connection"] * 2
    assert not [answer.detail for answer in answers if "secret" in answer.detail or "hook" in answer.detail]
