"""A script that keeps a server busy is ended by the service, as long as it has written nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from readstate.dialects import health as operating
from readstate.errors import Unavailable
from readstate.settings import Settings
from readstate.store.connect import connect
from readstate.store.keys import Keys
from readstate.store.scripts import Library, Script
from tests.support.calls import plain_call
from tests.support.imkit import Imkit, in_process
from tests.support.servers import Server
from tests.support.waiting import wait_until

DIGEST = "0123456789abcdef"
LIBRARY = f"""#!lua name=slow
local function busy(keys, args)
    local begun = os.clock()
    while os.clock() - begun < tonumber(args[1]) do end
    return "ended by itself"
end
redis.register_function("readstate_endless_{DIGEST}", function() while true do end end)
redis.register_function("readstate_written_{DIGEST}", function(keys, args)
    redis.call("SET", keys[1], "written")
    return busy(keys, args)
end)
redis.register_function("foreign", busy)
"""


@pytest.fixture
def nodes(nodes: list[Server]) -> Iterator[list[Server]]:
    """They report soon that they are busy, and have slow scripts."""
    for node in nodes:
        with node.client() as client:
            client.config_set("busy-reply-threshold", 200)
            client.function_load(LIBRARY, replace=True)
    yield nodes
    for node in nodes:
        with node.client() as client:
            client.function_delete("slow")
            client.config_set("busy-reply-threshold", 1000)


@pytest_asyncio.fixture
async def running(
    nodes: list[Server], settings: Settings, app: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Imkit]:
    """A service on these servers. Its answers to operators are not reused."""
    monkeypatch.setattr(operating, "REUSED_S", 0)
    async with in_process(msgspec.structs.replace(settings, redis_url=nodes[0].url)) as running:
        yield running


def node_of(nodes: list[Server], key: str) -> Server:
    """The node that has `key`. The others refuse commands about it."""
    for node in nodes:
        with node.client() as client, contextlib.suppress(redis.ResponseError):
            client.exists(key)
            return node
    raise AssertionError(f"no node has {key}")


async def called_elsewhere(node: Server, function: str, *arguments: object) -> Any:
    """The answer to a client of another program."""

    def call() -> Any:
        # A log handler for every line.
        with redis.Redis.from_url(node.url, socket_timeout=None, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return client.fcall(function, 1, KEY, *arguments)
            except redis.ResponseError as error:
                return str(error)

    return await asyncio.to_thread(call)


KEY = Keys.user("default", "al")


async def killed(running: Imkit, script: str) -> float:
    name = f'readstate_scripts_killed_total{{script="{script}"}} '
    lines = (await running.call("GET", "/metrics")).text.splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), 0.0)


async def test_an_endless_script_of_whomever_is_ended_and_the_service_goes_on(
    running: Imkit, nodes: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    """Its caller may be gone.

    Other callers wait, and are answered.
    """
    await running.sign_in("al")
    node, before = node_of(nodes, KEY), await killed(running, "endless")
    caplog.clear()
    calling = asyncio.create_task(called_elsewhere(node, f"readstate_endless_{DIGEST}"))
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    assert await running.badge("al") == 0
    assert time.monotonic() - begun < 1.5
    assert "Script killed by user" in await calling
    assert await killed(running, "endless") >= before + 1
    assert any("the script endless was ended: it ran for" in record.getMessage() for record in caplog.records)


async def test_the_caller_of_a_script_that_was_ended_hears_that_nothing_was_done(nodes: list[Server]) -> None:
    """Also when it wrote before: a script that has written is not ended."""
    executor = await connect(nodes[0].url)
    endless = Script(
        name="endless",
        function=f"readstate_endless_{DIGEST}",
        lib=Library(name="slow", text=b""),
        writes=True,
        when_full=False,
    )
    executor.scripts["endless"] = endless
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="took too long"):
        await executor.call(plain_call("endless"), KEY)
    assert time.monotonic() - begun < 1.5
    assert await executor.call(plain_call("badge", "default", "al"), KEY) == [0, 0, [], []]
    await executor.close()


async def test_a_script_that_has_written_is_left_to_end_and_readiness_says_why(
    running: Imkit, nodes: list[Server], caplog: pytest.LogCaptureFixture
) -> None:
    key_node, before = node_of(nodes, KEY), await killed(running, "written")
    caplog.clear()
    calling = asyncio.create_task(called_elsewhere(key_node, f"readstate_written_{DIGEST}", "4"))

    async def says_why() -> bool:
        ready = await running.call("GET", "/readyz")
        return ready.status_code == 503 and "BUSY" in ready.text

    await wait_until(says_why, "readiness to say that the server is busy", timeout_s=4)
    while not calling.done():
        await says_why()
        await asyncio.sleep(0.05)
    assert await calling == b"ended by itself"
    with key_node.client() as client:
        assert client.getdel(KEY) == b"written"
    assert await killed(running, "written") == before
    told = [record for record in caplog.records if "the script written runs for" in record.getMessage()]
    # The service and the caller of this test look separately, and each says it once.
    assert 1 <= len(told) <= 2

    async def is_ready() -> bool:
        return (await running.call("GET", "/readyz")).text == "ready\nlayout: 2\n"

    # The server was busy when the service looked for data of an earlier layout: it looks again.
    await wait_until(is_ready, "readiness to say no more", timeout_s=30)


async def test_a_script_of_somebody_else_is_left_alone(running: Imkit, nodes: list[Server]) -> None:
    """Its functions have another prefix: the server has other users."""
    node = node_of(nodes, KEY)
    calling = asyncio.create_task(called_elsewhere(node, "foreign", "1.5"))
    while not calling.done():
        await running.call("GET", "/readyz")
        await asyncio.sleep(0.05)
    assert await calling == b"ended by itself"
