"""Webhooks from end to end: `readstate serve` with a receiver, and the commands beside it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook

from readstate.domain.direct import TAG, direct_room
from readstate.store.keys import Keys
from tests.support.devices import API_KEY, CLIENT_KEY, Backend
from tests.support.processes import ServiceProcess, children_of, command_of, is_running, logged, run_command
from tests.support.receiver import HANG, OK, Receiver, Reply
from tests.support.servers import Server, short_directory
from tests.support.tencent import ADMIN, KEY, SDKAPPID, usersig
from tests.support.waiting import wait_until

TOKEN = "token-of-the-operator"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "data"


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
def settings(receiver: Receiver) -> dict[str, object]:
    return {
        "api_key": API_KEY,
        "client_key": CLIENT_KEY,
        "webhook_url": receiver.url,
        "webhook_token": TOKEN,
        "webhook_allow_private": "true",
    }


@asynccontextmanager
async def serving(data_dir: Path, settings: dict[str, object]) -> AsyncIterator[tuple[ServiceProcess, Backend]]:
    """The service, while this loop goes on serving the receiver."""
    service = ServiceProcess(data_dir, **settings)
    await asyncio.to_thread(service.start)
    try:
        async with Backend(service.url) as backend:
            yield service, backend
    finally:
        await asyncio.to_thread(service.stop)


def deliverer_of(service: ServiceProcess) -> int:
    (pid,) = {pid for pid in children_of(service.pid) if " deliver " in command_of(pid)}
    return pid


async def command(*arguments: str, data_dir: Path, settings: dict[str, object]) -> str:
    """What `readstate ARGUMENTS` prints."""
    done = await asyncio.to_thread(run_command, *arguments, settings={**settings, "data_dir": data_dir})
    assert done.returncode == 0, done.stderr
    return done.stdout


async def called(receiver: Receiver, count: int) -> None:
    async def enough() -> bool:
        return len(receiver.calls) >= count

    await wait_until(enough, f"{count} calls", timeout_s=30)


async def test_a_read_is_told_by_webhook(data_dir: Path, settings: dict[str, object], receiver: Receiver) -> None:
    """Posting moves the poster's cursor, and no event is sent for it.

    A read that changes nothing sends none either.
    """
    async with serving(data_dir, settings) as (service, backend):
        token = await backend.token("ann")
        await backend.room("garden", "ann", "bob")
        first, second = await backend.post("garden", "bob"), await backend.post("garden", "bob")
        await backend.read(token, "garden", second)
        await called(receiver, 1)
        for message in (second, first):
            await backend.read(token, "garden", message)
        third = await backend.post("garden", "bob")
        await backend.read(token, "garden", third)
        await called(receiver, 2)
        metrics = (await asyncio.to_thread(service.get, "/metrics"))[1].decode()
    told = [Webhook(TOKEN.encode()).verify(call.body, call.headers)["data"] for call in receiver.calls]
    assert [
        (one["app"], one["room"], one["member"], one["message"], one["before"], one["seq"], one["unread"])
        for one in told
    ] == [
        ("default", "garden", "ann", second, 0, 2, 0),
        ("default", "garden", "ann", third, 2, 3, 0),
    ]
    assert 'readstate_webhooks_delivered_total{form="standard"} 2.0' in metrics
    assert not any("READSTATE_REDIS_URL" in line for line in service.logged), "a setting that was never made"


async def test_a_receiver_that_is_down_slows_no_read_and_hears_of_all_later(
    data_dir: Path, settings: dict[str, object], receiver: Receiver
) -> None:
    """One event for each member's newest read."""
    receiver.answer = lambda call: Reply(how=HANG)
    async with serving(data_dir, settings) as (_, backend):
        tokens = {user: await backend.token(user) for user in ("ann", "cid", "dan")}
        await backend.room("garden", *tokens, "bob")
        slowest_s = 0.0
        for _ in range(10):
            message = await backend.post("garden", "bob")
            for token in tokens.values():
                began = time.monotonic()
                assert (await backend.read(token, "garden", message))["RC"] == 0
                slowest_s = max(slowest_s, time.monotonic() - began)
        assert slowest_s < 1
        await called(receiver, 3)
        receiver.answer = lambda call: OK

        async def all_told() -> bool:
            return all(
                any(call.json["data"]["message"] == message for call in receiver.of(user, "garden")) for user in tokens
            )

        await wait_until(all_told, "everybody's newest read", timeout_s=20)
    assert all(receiver.of(user, "garden")[-1].json["data"]["seq"] == 10 for user in tokens)


async def test_a_deliverer_that_dies_is_replaced(
    data_dir: Path, settings: dict[str, object], receiver: Receiver
) -> None:
    """Reads from meanwhile are sent too."""
    async with serving(data_dir, settings) as (service, backend):
        token = await backend.token("ann")
        await backend.room("garden", "ann", "bob")
        first = deliverer_of(service)
        os.kill(first, signal.SIGKILL)
        await backend.read(token, "garden", await backend.post("garden", "bob"))
        await called(receiver, 1)
        second = deliverer_of(service)
        assert second != first
        started = children_of(service.pid)
    await wait_until(lambda: ended(started), "the processes to end")


async def ended(pids: set[int]) -> bool:
    return not any(map(is_running, pids))


async def test_a_deliverer_waits_for_a_store_that_is_away(data_dir: Path, settings: dict[str, object]) -> None:
    """And takes its share of the work once it is there."""
    with short_directory() as directory:
        server = Server(directory / "away")
        settings |= {"redis_url": server.url}
        deliverer = ServiceProcess(data_dir, (sys.executable, "-m", "readstate", "deliver"), **settings)
        deliverer.launch()

        async def waits() -> bool:
            return bool(logged(deliverer, "waiting for the store: "))

        async def shares() -> bool:
            with server.client() as client:
                return bool(client.zcard(Keys.deliverers) == 1)

        await wait_until(waits, "it to wait")
        await asyncio.to_thread(server.start)
        await wait_until(shares, "it to be there")
        assert await asyncio.to_thread(deliverer.stop) == 0
        server.kill()


async def test_dead_letters_are_listed_and_replayed(
    data_dir: Path, settings: dict[str, object], receiver: Receiver
) -> None:
    """By id, or all; while the service runs and while it does not."""
    receiver.answer = lambda call: Reply(500)
    settings["webhook_retry_hours"] = 0
    async with serving(data_dir, settings) as (_, backend):
        for user in ("ann", "cid"):
            token = await backend.token(user)
            await backend.room(f"room-of-{user}", user, "bob")
            await backend.read(token, f"room-of-{user}", await backend.post(f"room-of-{user}", "bob"))
        await called(receiver, 2)
        lines: list[str] = []

        async def listed() -> bool:
            lines[:] = sorted(
                (await command("webhooks", "list", data_dir=data_dir, settings=settings)).splitlines(),
                key=lambda line: line[-80:],
            )
            return len(lines) == 2

        await wait_until(listed, "two dead letters", timeout_s=20)
        assert all(
            "1 attempt(s)\tapp default room room-of-" in line and line.endswith("\tstatus 500") for line in lines
        )
        receiver.answer = lambda call: OK
        of_ann = next(line for line in lines if "member ann" in line).split("\t")[0]
        printed = await command("webhooks", "replay", of_ann, data_dir=data_dir, settings=settings)
        assert printed == "1 of the dead letters wait for delivery again\n"
        await called(receiver, 3)
        assert receiver.calls[2].id == of_ann
    assert "member cid" in await command("webhooks", "list", data_dir=data_dir, settings=settings)
    assert (await command("webhooks", "replay", "--all", data_dir=data_dir, settings=settings)).startswith("1 of")
    assert await command("webhooks", "list", data_dir=data_dir, settings=settings) == ""
    async with serving(data_dir, settings):
        await called(receiver, 4)


async def test_one_to_one_reads_are_told_in_tencents_form(
    data_dir: Path, settings: dict[str, object], receiver: Receiver
) -> None:
    """With the reader's unread total over direct rooms.

    Other rooms keep the native form.
    """
    settings["tencent_sdkappid"] = 1400000001
    async with serving(data_dir, settings) as (_, backend):
        token = await backend.token("ann")
        for other in ("bob", "cid"):
            await backend.call(
                "POST", "/rooms/", {"_id": direct_room("ann", other), "members": ["ann", other], "roomTags": [TAG]}
            )
        await backend.room("garden", "ann", "bob")
        await backend.post(direct_room("ann", "cid"), "cid")
        for room in (direct_room("ann", "bob"), "garden"):
            await backend.read(token, room, await backend.post(room, "bob"))
        await called(receiver, 2)
    tencent, standard = sorted(receiver.calls, key=lambda call: "type" in call.json)
    assert {
        name: tencent.json[name] for name in ("CallbackCommand", "Report_Account", "Peer_Account", "UnreadMsgNum")
    } == {
        "CallbackCommand": "C2C.CallbackAfterMsgReport",
        "Report_Account": "ann",
        "Peer_Account": "bob",
        "UnreadMsgNum": 1,
    }
    query = dict(parse_qsl(tencent.target.partition("?")[2]))
    assert (query["SdkAppid"], query["CallbackCommand"]) == ("1400000001", "C2C.CallbackAfterMsgReport")
    assert standard.json["data"]["room"] == "garden"


async def test_calls_that_come_nearly_too_often_are_told(
    data_dir: Path, settings: dict[str, object], receiver: Receiver
) -> None:
    """Calls of Tencent's server API, counted over both workers."""
    settings |= {"tencent_sdkappid": SDKAPPID, "tencent_key": KEY, "tencent_rate_limit": 5, "workers": 2}
    query = {"sdkappid": str(SDKAPPID), "identifier": ADMIN, "usersig": usersig()}
    async with serving(data_dir, settings) as (service, _), httpx.AsyncClient(base_url=service.url) as client:

        async def told() -> bool:
            for _ in range(4):
                await client.post("/v4/openim/get_c2c_unread_msg_num", params=query, json={"To_Account": "ann"})
            await asyncio.sleep(1.1)
            return bool(receiver.calls)

        # The deliverer must have looked around once before.
        await wait_until(told, "a warning", timeout_s=30)
    (alert,) = receiver.calls
    assert (alert.json["Command"], alert.json["Request"], alert.json["Limit"]) == ("get_c2c_unread_msg_num", 4, 5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"webhook_token": ""}, "READSTATE_WEBHOOK_TOKEN"),
        ({"webhook_allow_private": "false"}, "READSTATE_WEBHOOK_ALLOW_PRIVATE=true"),
        ({"webhook_client_cert": "/nowhere/cert.pem"}, "READSTATE_WEBHOOK_CLIENT_CERT"),
        ({"webhook_url": ""}, "READSTATE_WEBHOOK_TOKEN signs what is sent to READSTATE_WEBHOOK_URL"),
        ({"webhook_url": "", "webhook_token": ""}, "READSTATE_WEBHOOK_URL is not set"),
    ],
)
async def test_a_deliverer_that_could_not_deliver_says_so_in_one_line(
    data_dir: Path, settings: dict[str, object], change: dict[str, object], words: str
) -> None:
    done = await asyncio.to_thread(run_command, "deliver", settings={**settings, "data_dir": data_dir, **change})
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "change", [{"webhook_token": ""}, {"webhook_allow_private": "false"}, {"webhook_client_cert": "/nowhere/cert.pem"}]
)
async def test_the_service_does_not_start_with_webhooks_that_cannot_work(
    data_dir: Path, settings: dict[str, object], change: dict[str, Any]
) -> None:
    done = await asyncio.to_thread(
        run_command, "serve", settings={**settings, "port": 0, "data_dir": data_dir, **change}
    )
    assert done.returncode == 2
    assert "READSTATE_WEBHOOK_" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("webhooks",), ("webhooks", "replay"), ("webhooks", "replay", "read_1", "--all")]
)
def test_the_command_says_how_it_is_used(arguments: tuple[str, ...]) -> None:
    done = run_command(*arguments)
    assert done.returncode == 2
    assert "usage: readstate webhooks" in done.stderr
