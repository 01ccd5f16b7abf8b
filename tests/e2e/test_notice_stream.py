"""The notices of rooms and users on a real server and a real cluster: no loss goes unnoticed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from readstate.domain.notices import MessageDeleted, Notice, Topic, encode_notice
from readstate.errors import Unavailable
from readstate.store import channel_connection
from readstate.store import notices as stream
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import OfRoom
from tests.support.ears import Ear, channel_of
from tests.support.proxy import CuttingProxy
from tests.support.servers import Cluster, Server, short_directory
from tests.support.waiting import wait_until


@contextlib.asynccontextmanager
async def an_ear(url: str, *, through: str = "") -> AsyncIterator[Ear]:
    executor = await connect(url)
    ear = Ear(executor, through or url)
    try:
        yield ear
    finally:
        await ear.notices.stop()
        await executor.close()


@pytest_asyncio.fixture
async def ear(plan_url: str) -> AsyncIterator[Ear]:
    async with an_ear(plan_url) as ear:
        yield ear


def topics_of(app: str, count: int = 6) -> list[Topic]:
    """Rooms and users, in slots of every node of a cluster."""
    return [Topic.room(app, f"r{number}") if number % 2 else Topic.user(app, f"u{number}") for number in range(count)]


def said(text: str) -> MessageDeleted:
    return MessageDeleted("r", text)


async def listeners(executor: Executor, topic: Topic) -> int:
    """How many workers the store knows to listen to a topic."""
    replies = await executor.each_node("PUBSUB", "SHARDNUMSUB", channel_of(topic))
    return sum(int(reply[1]) for reply in replies)


async def until_listeners(executor: Executor, topic: Topic, count: int) -> None:
    async def holds() -> bool:
        return await listeners(executor, topic) == count

    await wait_until(holds, f"{count} listeners")


async def until_gaps(ear: Ear, *topics: Topic) -> None:
    async def holds() -> bool:
        return set(ear.gaps) >= set(topics)

    await wait_until(holds, f"gaps of {topics} (there are {ear.gaps})")


async def cut(ear: Ear) -> None:
    """End every subscriber's connection, as a server that is restarted does."""
    await ear.executor.each_node("CLIENT", "KILL", "TYPE", "PUBSUB")


async def test_what_is_published_after_subscribing_is_heard_in_order(ear: Ear, app: str) -> None:
    """Of each topic; of no other."""
    topics = topics_of(app)
    await ear.notices.subscribe(topics)
    for number in range(50):
        for topic in (*topics, Topic.room(app, "another")):
            await ear.publish(topic, said(str(number)))
    heard = await ear.catch_up(*topics)
    for topic in topics:
        assert [notice for where, notice in heard if where == topic] == [said(str(number)) for number in range(50)]
    assert len(heard) == 50 * len(topics)
    assert ear.gaps == []


async def test_a_subscription_stays_some_seconds_longer_than_its_last_listener(
    ear: Ear, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "GRACE_S", 0.3)
    room, other = Topic.room(app, "r"), Topic.room(app, "s")
    await asyncio.gather(*(ear.notices.subscribe([room, other]) for _ in range(3)))
    assert await listeners(ear.executor, room) == 1
    for _ in range(3):
        ear.notices.unsubscribe([room])
    assert await listeners(ear.executor, room) == 1
    await until_listeners(ear.executor, room, 0)
    assert not ear.notices.retain(room)
    assert await listeners(ear.executor, other) == 1
    await ear.notices.subscribe([room])
    await ear.publish(room, said("heard"))
    assert await ear.catch_up(room) == [(room, said("heard"))]
    ear.notices.unsubscribe([room])
    assert ear.notices.retain(room)
    await asyncio.sleep(0.5)
    assert await listeners(ear.executor, room) == 1
    assert ear.gaps == []


async def test_who_comes_and_goes_at_once_is_heard_whenever_they_listen(
    ear: Ear, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Confirmations that come late mislead no one."""
    monkeypatch.setattr(stream, "GRACE_S", 0.0)
    topics = topics_of(app)
    for number in range(50):
        await ear.notices.subscribe(topics)
        for topic in topics:
            await ear.publish(topic, said(str(number)))
        assert len(await ear.catch_up(*topics)) == len(topics)
        ear.notices.unsubscribe(topics)
        await asyncio.sleep(0.001 * (number % 3))
        coming = asyncio.create_task(ear.notices.subscribe(topics))
        await asyncio.sleep(0)
        coming.cancel()
        await asyncio.wait({coming})
    assert ear.gaps == []


async def test_a_lost_connection_is_a_gap_of_all_that_was_heard_on_it(ear: Ear, app: str) -> None:
    """Also of that of which nothing was published meanwhile: that cannot be known."""
    topics = topics_of(app)
    await ear.notices.subscribe(topics)
    for times in (1, 2, 3):
        await cut(ear)
        await until_gaps(ear, *topics)
        assert len(ear.gaps) == len(topics)
        ear.gaps.clear()
        await ear.notices.subscribe(topics)
        for topic in topics:
            await ear.publish(topic, said(f"after {times}"))
        assert len(await ear.catch_up(*topics)) == len(topics)


async def test_a_gap_that_cannot_be_dealt_with_does_not_deafen(ear: Ear, app: str) -> None:
    def fail(topics: Collection[Topic]) -> None:
        ear.gaps.extend(topics)
        raise ZeroDivisionError

    room = Topic.room(app, "r")
    ear.notices.attach(lambda topic, notice: ear.heard.append((topic, notice)), fail)
    await ear.notices.subscribe([room])
    await cut(ear)
    await until_gaps(ear, room)
    await ear.notices.subscribe([room])
    await ear.publish(room, said("after"))
    assert await ear.catch_up(room) == [(room, said("after"))]


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"\x90", b"\x91\xa3wat", b"\x92\xa4gone\x01", b"hello", b"\x92\xa4gone\xa1\xff", b"\x91" * 5000],
)
async def test_what_is_no_notice_is_counted_and_passed_over(ear: Ear, app: str, payload: bytes) -> None:
    room = Topic.room(app, "r")
    await ear.notices.subscribe([room])
    await ear.publish(room, payload)
    await ear.publish(room, said("after"))
    assert await ear.catch_up(room) == [(room, said("after"))]
    assert ear.notices.undecodable == 1


async def test_what_a_room_has_kept_and_is_no_notice_is_passed_over(ear: Ear, app: str) -> None:
    """A worker of a newer version may have announced it."""
    room = Topic.room(app, "r")
    key = channel_of(room) + OfRoom.RECENT
    kept = [encode_notice(said("before")), b"\x92\xa4what\xa1r", encode_notice(said("after"))]
    await ear.executor.command("RPUSH", key, *kept, key=key)
    recent = await ear.notices.catch_up(room, ["ann"], "barrier")
    assert (recent.notices, ear.notices.undecodable) == ([said("before"), said("after")], 1)
    await ear.executor.command("DEL", key, key=key)


async def test_a_search_for_the_nodes_that_fails_is_not_the_last_one(
    ear: Ear, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, find = Topic.room(app, "r"), ear.executor.slots
    failures = 0

    async def fail_once() -> Any:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise ZeroDivisionError
        return await find()

    await ear.notices.subscribe([room])
    monkeypatch.setattr(ear.executor, "slots", fail_once)
    await cut(ear)
    await until_gaps(ear, room)
    await ear.notices.subscribe([room])
    await ear.publish(room, said("after"))
    assert (await ear.catch_up(room), failures > 1) == ([(room, said("after"))], True)


async def test_a_listener_that_fails_does_not_stop_the_stream(ear: Ear, app: str) -> None:
    room = Topic.room(app, "r")

    def fail(topic: Topic, notice: Notice) -> None:
        ear.heard.append((topic, notice))
        if len(ear.heard) == 1:
            raise ZeroDivisionError

    ear.notices.attach(fail, ear.gaps.extend)
    await ear.notices.subscribe([room])
    await ear.publish(room, said("one"))
    await ear.publish(room, said("two"))
    assert await ear.catch_up(room) == [(room, said("one")), (room, said("two"))]


async def test_a_burst_is_heard_in_order_and_lets_others_have_their_turn(ear: Ear, app: str) -> None:
    room = Topic.room(app, "r")
    await ear.notices.subscribe([room])
    await asyncio.gather(*(ear.publish(room, said(str(number))) for number in range(3000)))
    assert await ear.catch_up(room) == [(room, said(str(number))) for number in range(3000)]


async def test_a_server_that_is_restarted_is_found_again(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CONFIRM_S", 1.0)
    room, other = Topic.room(app, "r"), Topic.room(app, "s")
    with short_directory() as directory:
        server = Server(directory / "one")
        server.start()
        async with an_ear(server.url) as ear:
            await ear.notices.subscribe([room])
            await asyncio.to_thread(server.kill)
            with pytest.raises(Unavailable):
                await ear.notices.subscribe([room, other])
            await asyncio.to_thread(server.start)
            await until_listeners(ear.executor, room, 1)
            assert ear.gaps == [room]
            await ear.publish(room, said("after"))
            assert await ear.catch_up(room) == [(room, said("after"))]
            assert await listeners(ear.executor, other) == 0
        server.stop()


async def test_a_slot_that_moves_is_a_gap_of_what_is_in_it(cluster: Cluster, app: str) -> None:
    """It is then heard at its new node; and the rest as before, without a gap."""
    async with an_ear(cluster.url) as ear:
        topics = topics_of(app, 12)
        await ear.notices.subscribe(topics)
        moved = next(topic for topic in topics if is_empty(cluster, channel_of(topic)))
        await move_slot(cluster, channel_of(moved))
        await until_gaps(ear, moved)
        await ear.notices.subscribe(topics)
        for topic in topics:
            await ear.publish(topic, said("after"))
        assert len(await ear.catch_up(*topics)) == len(topics)
        assert ear.gaps == [moved]


def is_empty(cluster: Cluster, key: str) -> bool:
    """Whether no node has keys in the slot of `key`. Other tests leave theirs behind."""
    with contextlib.ExitStack() as stack:
        clients: list[Any] = [stack.enter_context(node.client()) for node in cluster.nodes]
        slot = clients[0].execute_command("CLUSTER", "KEYSLOT", key)
        return not any(client.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot) for client in clients)


async def move_slot(cluster: Cluster, key: str) -> None:
    """Move the slot of `key`, in which there are no keys, to another node."""
    clients: list[Any] = [node.client() for node in cluster.nodes]
    slot = clients[0].execute_command("CLUSTER", "KEYSLOT", key)
    ids = [client.execute_command("CLUSTER", "MYID") for client in clients]
    owner = next(
        at
        for at, client in enumerate(clients)
        if any(
            first <= slot <= last and owner[2] == ids[at]
            for first, last, owner, *_ in client.execute_command("CLUSTER", "SLOTS")
        )
    )
    target = (owner + 1) % len(clients)
    for at in (target, owner, *(at for at in range(len(clients)) if at not in (target, owner))):
        clients[at].execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    for client in clients:
        client.close()


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


async def test_a_listener_that_meets_a_defect_begins_anew(server: Server, app: str) -> None:
    """In the midst of a burst, while it reads no more: else it would stay, and hear nothing."""
    room = Topic.room(app, "r")
    with short_directory() as directory:
        proxy = CuttingProxy(server.socket, directory / "p")
        await proxy.start()
        async with an_ear(server.url, through=f"unix://{proxy.path}") as ear:
            await ear.notices.subscribe([room])
            empty = b"*3\r\n$8\r\nsmessage\r\n$1\r\nx\r\n$0\r\n\r\n"
            proxy.slip_in(empty * (channel_connection.BURST + 1) + b":1\r\n")
            await until_gaps(ear, room)
            await ear.notices.subscribe([room])
            await ear.publish(room, said("after"))
            assert await ear.catch_up(room) == [(room, said("after"))]
        await proxy.stop()


async def test_a_probe_that_fails_is_not_the_last_one(
    server: Server, app: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Later ones find out that the connection only looks alive."""
    monkeypatch.setattr(channel_connection, "SILENCE_S", 0.1)
    monkeypatch.setattr(channel_connection, "PROBE_S", 0.1)
    room = Topic.room(app, "r")
    with short_directory() as directory:
        pipe = DeafPipe(server.socket, directory / "pipe")
        listener = await asyncio.start_unix_server(pipe.serve, str(pipe.path))
        async with listener, an_ear(server.url, through=f"unix://{pipe.path}") as ear:
            command, failures = ear.executor.command, ["a defect"]

            async def failing_once(*parts: Any, key: str) -> Any:
                if failures:
                    raise ValueError(failures.pop())
                return await command(*parts, key=key)

            monkeypatch.setattr(ear.executor, "command", failing_once)
            await ear.notices.subscribe([room])
            pipe.deaf = True
            await until_gaps(ear, room)
            assert "a defect" in caplog.text


async def test_a_connection_that_only_looks_alive_is_given_up(
    server: Server, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its probe does not come back. The probe of a quiet connection does, and it stays."""
    monkeypatch.setattr(channel_connection, "SILENCE_S", 0.3)
    monkeypatch.setattr(channel_connection, "PROBE_S", 0.3)
    room = Topic.room(app, "r")
    with short_directory() as directory:
        pipe = DeafPipe(server.socket, directory / "pipe")
        listener = await asyncio.start_unix_server(pipe.serve, str(pipe.path))
        async with listener, an_ear(server.url, through=f"unix://{pipe.path}") as ear:
            await ear.notices.subscribe([room])
            await asyncio.sleep(1.5)
            assert (pipe.connections, ear.gaps) == (1, [])
            pipe.deaf = True
            await until_gaps(ear, room)
            await ear.notices.subscribe([room])
            await ear.publish(room, said("after"))
            assert await ear.catch_up(room) == [(room, said("after"))]
