"""Warnings about a command of Tencent's server API that is called nearly too often."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio

from readstate.dialects.tencent import alerts
from readstate.dialects.tencent.api import HANDLERS
from readstate.dialects.tencent.auth import Authenticator, TencentApp
from readstate.dialects.tencent.webhooks import TencentForm
from readstate.domain.read_state import ReadState
from readstate.store.redis_store import RedisStore
from readstate.webhooks.sender import Sender
from readstate.webhooks.standard import Signer
from tests.support.receiver import Receiver, Reply
from tests.support.tencent import ADMIN, KEY, SDKAPPID, usersig
from tests.support.waiting import wait_until

TOKEN = "token-of-the-operator"
COMMAND = "admin_set_msg_read"
QUERY = {"sdkappid": str(SDKAPPID), "identifier": ADMIN, "usersig": usersig()}


@pytest.fixture
def read_state(store: RedisStore) -> ReadState:
    return store


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
def telling(read_state: ReadState, receiver: Receiver, app: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`async with telling()`: a deliverer's loop inside the block, which has looked once when it
    begins.
    """
    monkeypatch.setattr(alerts, "LOOK_S", 0.02)

    @asynccontextmanager
    async def telling(*, may_send: bool = True) -> AsyncIterator[None]:
        stop = asyncio.Event()
        tencent = TencentForm(
            read_state,
            app=app,
            sdkappid=SDKAPPID,
            token=TOKEN,
            sign_headers=Signer(TOKEN).headers,
            rate_limit=10,
        )
        async with Sender(receiver.url, allow_private=True, tls=ssl.create_default_context()) as sender:
            running = asyncio.create_task(tencent.run(sender.send, lambda: may_send, stop))
            await asyncio.sleep(0.1)
            yield
            await asyncio.sleep(0.1)
            stop.set()
            await running

    return telling


@pytest.fixture
def call(read_state: ReadState, app: str) -> Callable[..., Any]:
    """Calls a command so many times within a second; at most 10 are allowed."""
    authenticator = Authenticator(
        TencentApp(app=app, sdkappid=SDKAPPID, key=KEY, admins=frozenset({ADMIN}), rate_limit=10)
    )

    async def call(times: int, command: str = COMMAND) -> None:
        for _ in range(times):
            authenticator.authenticate(QUERY)
            await authenticator.count(read_state, command)

    return call


def test_every_command_has_its_service() -> None:
    assert {
        handler.opt["operation"].name: handler.opt["operation"].family.service for handler in HANDLERS
    } == alerts.SERVICES


@pytest.mark.parametrize(("limit", "calls"), [(1, 1), (2, 2), (5, 4), (200, 160), (201, 161), (1_000_000, 800_000)])
def test_four_fifths_of_the_limit_are_nearly_too_often(limit: int, calls: int) -> None:
    assert alerts.nearly(limit) == calls


async def test_the_receiver_is_warned(
    telling: Callable[..., Any], call: Callable[..., Any], receiver: Receiver
) -> None:
    """In Tencent's words, once for two deliverers; the URL has no ClientIP."""
    async with telling(), telling():
        await call(8)
        await wait_until(_called(receiver), "a warning")
    (told,) = receiver.calls
    assert told.body == (
        b'{"CallbackCommand":"Alert.RequestOverLimit","ServiceName":"openim","Command":"admin_set_msg_read","Request":8,"Limit":10}'
    )
    names = [name for name, _ in parse_qsl(told.target.partition("?")[2])]
    assert names == ["SdkAppid", "CallbackCommand", "contenttype", "OptPlatform", "Sign", "RequestTime"]


async def test_fewer_calls_are_nothing_to_warn_of(
    telling: Callable[..., Any], call: Callable[..., Any], receiver: Receiver
) -> None:
    async with telling():
        await call(7)
    assert receiver.calls == []


async def test_one_warning_a_minute_and_command(
    telling: Callable[..., Any], call: Callable[..., Any], receiver: Receiver
) -> None:
    """Whatever the receiver answers."""
    receiver.answer = lambda call: Reply(500)
    async with telling():
        await call(9)
        await wait_until(_called(receiver), "a warning")
        await asyncio.sleep(1)
        await call(9)
        await call(9, "group_msg_receipt")
    assert [json.loads(told.body)["Command"] for told in receiver.calls] == [COMMAND, "group_msg_receipt"]


async def test_what_was_noted_before_is_not_told(
    telling: Callable[..., Any], call: Callable[..., Any], receiver: Receiver
) -> None:
    """A receiver that wants no more gets no alert either."""
    await call(9)
    async with telling():
        pass
    async with telling(may_send=False):
        await call(9, "group_msg_receipt")
    assert receiver.calls == []


def _called(receiver: Receiver) -> Callable[[], Any]:
    async def called() -> bool:
        return bool(receiver.calls)

    return called
