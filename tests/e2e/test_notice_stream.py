"""The stream of notices on a real server and a real cluster: no loss goes unnoticed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from readstate.domain.notices import MessageDeleted, Notice, encode_notice
from readstate.errors import Unavailable
from readstate.store import notices as stream
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.notices import RedisNotices
from tests.support.servers import Cluster, Server, short_directory
from tests.support.waiting import wait_until


class Ear:
    """Listens to notices, and publishes some by hand."""

    def __init__(self, executor: Executor, url: str) -> None:
        self.executor = executor
        self.notices = RedisNotices(executor, url)
        self.heard: list[tuple[str, Notice]] = []
        self.gaps: list[str] = []
        self.while_repairing: Callable[[], Awaitable[None]] | None = None
        self.notices.attach(lambda app, notice: self.heard.append((app, notice)), self._gap)

    async def _gap(self, app: str) -> None:
        if self.while_repairing:
            await self.while_repairing()
        self.gaps.append(app)

    async def publish(self, app: str, text: str, *, key: str = "k") -> None:
        await self.executor.command("PUBLISH", Keys.notices(app), encode_notice(MessageDeleted("r", text)), key=key)

    def texts(self, app: str) -> list[str]:
        return [notice.message for name, notice in self.heard if name == app and isinstance(notice, MessageDeleted)]

    async def until(self, condition: Callable[[], bool], describe: str) -> None:
        async def holds() -> bool:
            return condition()

        await wait_until(holds, f"{describe} (heard {len(self.heard)}, gaps {self.gaps})")

    async def until_last(self, app: str, text: str) -> None:
        await self.until(lambda: self.texts(app)[-1:] == [text], f"the notice {text}")

    async def until_gaps(self, times: int, *apps: str) -> None:
        await self.until(lambda: {self.gaps.count(app) for app in apps} == {times}, f"gap {times}")

    async def subscribers(self, app: str) -> int:
        replies = await self.executor.each_node("PUBSUB", "NUMSUB", Keys.notices(app))
        return sum(int(reply[1]) for reply in replies)

    async def cut(self) -> None:
        """End every subscriber's connection, as a server that is restarted does."""
        await self.executor.each_node("CLIENT", "KILL", "TYPE", "PUBSUB")


@contextlib.asynccontextmanager
async def an_ear(url: str, *, through: str = "") -> AsyncIterator[Ear]:
    executor = await connect(url)
    ear = Ear(executor, through or url)
    await ear.notices.start()
    try:
        yield ear
    finally:
        await ear.notices.stop()
        await executor.close()


@pytest_asyncio.fixture
async def ear(plan_url: str) -> AsyncIterator[Ear]:
    async with an_ear(plan_url) as ear:
        yield ear


async def test_what_is_published_after_listening_is_heard_in_order(ear: Ear, app: str) -> None:
    """On a cluster, from any node."""
    await ear.notices.subscribe(app)
    for number in range(200):
        await ear.publish(app, str(number), key=f"k{number}")
    await ear.until(lambda: len(ear.heard) >= 200, "200 notices")
    assert sorted(ear.texts(app), key=int) == [str(number) for number in range(200)]
    await asyncio.gather(*(ear.publish(app, f"same-{number}") for number in range(500)))
    await ear.until(lambda: len(ear.heard) >= 700, "700 notices")
    assert ear.texts(app)[200:] == [f"same-{number}" for number in range(500)]
    assert ear.gaps == []


async def test_nobody_is_subscribed_longer_than_somebody_listens(ear: Ear, app: str) -> None:
    await asyncio.gather(*(ear.notices.subscribe(app) for _ in range(3)))
    assert await ear.subscribers(app) == 1
    await ear.notices.unsubscribe(app)
    await ear.notices.unsubscribe(app)
    assert await ear.subscribers(app) == 1
    await ear.notices.unsubscribe(app)

    async def unsubscribed() -> bool:
        return await ear.subscribers(app) == 0

    await wait_until(unsubscribed, "the subscription to end")
    await ear.notices.subscribe(app)
    await ear.publish(app, "heard")
    await ear.until(lambda: ear.texts(app) == ["heard"], "the notice")
    assert ear.gaps == []


async def test_a_listener_that_comes_and_goes_at_once_still_hears(ear: Ear, app: str) -> None:
    """Of the confirmations that come back only the last one counts."""
    for number in range(50):
        await ear.notices.subscribe(app)
        await ear.publish(app, str(number))
        await ear.until_last(app, str(number))
        await ear.notices.unsubscribe(app)
        coming = asyncio.create_task(ear.notices.subscribe(app))
        await asyncio.sleep(0)
        coming.cancel()
        await asyncio.wait({coming})
    assert ear.gaps == []


async def test_a_lost_connection_is_a_gap_for_everybody_who_was_heard(ear: Ear, app: str) -> None:
    """Also for apps of which nothing was published meanwhile: that cannot be known."""
    other = f"{app}-b"
    await ear.notices.subscribe(app)
    await ear.notices.subscribe(other)
    for times in (1, 2, 3):
        await ear.cut()
        await ear.until_gaps(times, app, other)
        await ear.publish(app, f"after {times}")
        await ear.until_last(app, f"after {times}")
    assert ear.notices.reconnects == 3


async def test_nothing_is_handed_on_before_the_gap_was_dealt_with(ear: Ear, app: str) -> None:
    """Notices after a gap meet repaired state. They wait for it and are not lost."""

    async def repair() -> None:
        for number in range(20):
            await ear.publish(app, str(number))
        await asyncio.sleep(0.3)
        assert ear.heard == []

    ear.while_repairing = repair
    await ear.notices.subscribe(app)
    await ear.cut()
    await ear.until(lambda: len(ear.heard) == 20, "what was published meanwhile")
    assert ear.gaps == [app]


async def test_a_gap_that_cannot_be_dealt_with_does_not_deafen(ear: Ear, app: str) -> None:
    async def fail() -> None:
        raise Unavailable("down")

    ear.while_repairing = fail
    await ear.notices.subscribe(app)
    await ear.cut()
    await ear.until(lambda: ear.notices.reconnects == 1, "the new connection")
    await ear.notices.subscribe(app)
    await ear.publish(app, "after")
    await ear.until(lambda: ear.texts(app) == ["after"], "the notice")


async def test_listening_while_the_connection_is_lost_waits_for_the_next_one(ear: Ear, app: str) -> None:
    other = f"{app}-b"
    await ear.notices.subscribe(app)
    await ear.cut()
    await ear.notices.subscribe(other)
    await ear.publish(other, "heard")
    await ear.until(lambda: ear.texts(other) == ["heard"], "the notice")
    await ear.until(lambda: ear.gaps == [app], "a gap for the one that was heard before")


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"\x90", b"\x91\xa3wat", b"\x92\xa4gone\x01", b"hello", b"\x92\xa4gone\xa1\xff", b"\x91" * 5000],
)
async def test_what_is_no_notice_is_counted_and_passed_over(ear: Ear, app: str, payload: bytes) -> None:
    await ear.notices.subscribe(app)
    await ear.executor.command("PUBLISH", Keys.notices(app), payload, key="k")
    await ear.publish(app, "after")
    await ear.until(lambda: ear.texts(app) == ["after"], "the notice after it")
    assert ear.notices.undecodable == 1


async def test_a_listener_that_fails_does_not_stop_the_stream(ear: Ear, app: str) -> None:
    def fail(app: str, notice: Notice) -> None:
        ear.heard.append((app, notice))
        if len(ear.heard) == 1:
            raise ZeroDivisionError

    ear.notices.attach(fail, ear._gap)
    await ear.notices.subscribe(app)
    await ear.publish(app, "one")
    await ear.publish(app, "two")
    await ear.until(lambda: ear.texts(app) == ["one", "two"], "both")


async def test_after_a_loss_another_node_is_asked(cluster: Cluster, app: str) -> None:
    async with an_ear(cluster.url) as ear:
        await ear.notices.subscribe(app)
        seen = set()
        for times in range(3):
            for node in cluster.nodes:
                with node.client() as client:
                    if client.pubsub_numsub(Keys.notices(app))[0][1]:
                        seen.add(node.port)
            await ear.cut()
            await ear.until_gaps(times + 1, app)
        assert len(seen) == 3


async def test_a_server_that_is_restarted_is_found_again(app: str) -> None:
    with short_directory() as directory:
        server = Server(directory / "one")
        server.start()
        async with an_ear(server.url) as ear:
            await ear.notices.subscribe(app)
            await asyncio.to_thread(server.kill)
            with pytest.raises(Unavailable):
                await ear.notices.subscribe(f"{app}-b")
            await asyncio.to_thread(server.start)
            await ear.until(lambda: ear.gaps == [app], "a gap")
            await ear.publish(app, "after")
            await ear.until(lambda: ear.texts(app) == ["after"], "the notice")
            assert f"{app}-b" not in ear.notices._listeners
        server.stop()


class DeafPipe:
    """Passes bytes on, and from a moment on nothing comes back, as when a cable is pulled."""

    def __init__(self, server: Path, listen: Path) -> None:
        self._server, self.path = server, listen
        self.deaf = False
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._server))

        async def back() -> None:
            while data := await server_reader.read(65536):
                if not (self.deaf and number == 1):
                    writer.write(data)

        task = asyncio.create_task(back())
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                server_writer.write(data)
        task.cancel()
        for end in (writer, server_writer):
            end.close()


async def test_a_connection_that_only_looks_alive_is_given_up(
    server: Server, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its probe does not come back. The probe of a quiet connection does, and it stays."""
    monkeypatch.setattr(stream, "SILENCE_S", 0.3)
    monkeypatch.setattr(stream, "PROBE_S", 0.3)
    with short_directory() as directory:
        pipe = DeafPipe(server.socket, directory / "pipe")
        listener = await asyncio.start_unix_server(pipe.serve, str(pipe.path))
        async with listener, an_ear(server.url, through=f"unix://{pipe.path}") as ear:
            await ear.notices.subscribe(app)
            await asyncio.sleep(1.5)
            assert (ear.notices.reconnects, ear.gaps) == (0, [])
            pipe.deaf = True
            await ear.until(lambda: ear.gaps == [app], "the gap")
            await ear.publish(app, "after")
            await ear.until(lambda: ear.texts(app) == ["after"], "the notice")
