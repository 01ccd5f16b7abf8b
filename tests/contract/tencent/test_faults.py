"""What callers of the Tencent dialect see when something of ours fails: status 200 and a code that says to try again."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from readstate.app import create_app
from readstate.domain.read_state import ReadState
from readstate.errors import UnknownOutcome
from readstate.settings import Settings
from readstate.store.connect import connect
from tests.contract.tencent.test_bad_input import GOOD
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, Lifespan
from tests.support.servers import Server, short_directory
from tests.support.tencent import Tencent, code, said, with_tencent

AGAIN = {command: 90994 if command.startswith("openim") else 10002 for command in GOOD}


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that the test may stop."""
    with short_directory() as directory:
        server = Server(directory / "one")
        server.start()
        yield server
        server.stop()


@pytest.fixture(params=[0, 200])
def rate_limit(request: pytest.FixtureRequest) -> int:
    """With a limit the store is first asked for the frequency, without one for what the command is about."""
    return int(request.param)


@pytest_asyncio.fixture
async def tencent(own_server: Server, rate_limit: int) -> AsyncIterator[Tencent]:
    """A service on that server."""
    settings = Settings(redis_url=own_server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
    service, executor = create_app(with_tencent(settings, tencent_rate_limit=rate_limit)), await connect(own_server.url)
    async with (
        Lifespan(service),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=service), base_url="http://test") as client,
    ):
        yield Tencent(Imkit(service, client, executor))
    await executor.close()


async def test_without_its_store(tencent: Tencent, own_server: Server) -> None:
    """All is well once the store is back. What is wrong in the URL is told even so."""
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
    """Every command may be repeated, so this is the same to callers."""

    async def lost(*_: object, **__: object) -> None:
        raise UnknownOutcome("the connection was lost")

    monkeypatch.setattr(ReadState, "mark_read_until", lost)
    body = GOOD["openim/admin_set_msg_read"]
    assert code(await tencent.call("openim/admin_set_msg_read", body)) == 90994


async def test_a_fault_of_ours_is_logged_under_the_requests_id(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ReadState, "room", broken)
    with caplog.at_level(logging.ERROR):
        for command, expected in (
            ("openim/get_c2c_unread_msg_num", 90994),
            ("group_open_http_svc/get_group_msg_receipt", 10002),
        ):
            answer = await tencent.call(command, GOOD[command])
            assert code(answer) == expected
            assert "ZeroDivisionError" not in answer.text
            assert caplog.records[-1].request_id == answer.headers["x-request-id"]
            assert caplog.records[-1].exc_info is not None
