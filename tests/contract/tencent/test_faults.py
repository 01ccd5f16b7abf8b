"""When the service fails, the Tencent dialect answers with status 200 and a code for a repeat."""

import asyncio
import logging
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from readstate.errors import UnknownOutcome
from readstate.settings import Settings
from tests.contract.tencent.test_bad_input import GOOD
from tests.support.imkit import in_process
from tests.support.servers import Server
from tests.support.tencent import Tencent, code, said, with_tencent

AGAIN = {command: 90994 if command.startswith("openim") else 10002 for command in GOOD}


@pytest.fixture(params=[0, 200])
def rate_limit(request: pytest.FixtureRequest) -> int:
    """With a limit the store is first asked for the frequency, otherwise for the command."""
    return int(request.param)


@pytest_asyncio.fixture
async def tencent(own_server: Server, settings: Settings, rate_limit: int) -> AsyncIterator[Tencent]:
    """A service on that server."""
    settings = msgspec.structs.replace(settings, redis_url=own_server.url)
    async with in_process(with_tencent(settings, tencent_rate_limit=rate_limit)) as imkit:
        yield Tencent(imkit)


async def test_without_its_store(tencent: Tencent, own_server: Server) -> None:
    """Calls succeed once the store is back. Mistakes in the URL are told even without it."""
    await tencent.group("g", "al", "bo", messages=(("bo", 1),))
    own_server.stop()
    answers = await asyncio.gather(*(tencent.call(command, body) for command, body in GOOD.items()))
    for command, answer in zip(GOOD, answers, strict=True):
        assert said(answer)["ErrorInfo"] == "Something failed on our side; try again"
        assert code(answer) == AGAIN[command]
        assert code(await tencent.call(command, {}, usersig="x")) == 70003
    own_server.start()
    for command, body in GOOD.items():
        assert code(await tencent.call(command, body)) == 0


async def test_when_it_is_unknown_what_became_of_a_call(tencent: Tencent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command may be repeated, so callers see the same code."""
    tencent.imkit.fail(monkeypatch, "mark_read_until", UnknownOutcome("the connection was lost"))
    body = GOOD["openim/admin_set_msg_read"]
    assert code(await tencent.call("openim/admin_set_msg_read", body)) == 90994


async def test_a_fault_of_ours_is_logged_under_the_requests_id(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tencent.imkit.fail(monkeypatch, "room", ZeroDivisionError())
    with caplog.at_level(logging.ERROR):
        for command, expected in (
            ("openim/get_c2c_unread_msg_num", 90994),
            ("group_open_http_svc/get_group_msg_receipt", 10002),
        ):
            answer = await tencent.call(command, GOOD[command])
            assert code(answer) == expected
            assert "ZeroDivisionError" not in answer.text
            assert caplog.records[-1].__dict__["request_id"] == answer.headers["x-request-id"]
            assert caplog.records[-1].exc_info is not None
