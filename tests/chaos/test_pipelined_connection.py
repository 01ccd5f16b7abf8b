"""A pipelined connection whose stream is cut anywhere.

No reply reaches another caller, nothing is done twice, and every outcome is true.
"""

import asyncio
import contextlib
import gc
import random
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop
from hiredis import ReplyError
from redis.asyncio.connection import AbstractConnection

from readstate.errors import ConnectionLost, Unavailable, UnknownOutcome
from readstate.store.connect import connect
from readstate.store.connections import ConnectionFactory, NodeConnection
from readstate.store.keys import Keys
from readstate.store.pipelined_connection import FULL_BATCH, PipelinedConnection
from readstate.store.replies import ScriptFailed
from tests.support.calls import plain_call
from tests.support.proxy import CuttingProxy
from tests.support.servers import Server, short_directory
from tests.support.waiting import wait_until

# Counts how often it ran, and answers with what only this caller knows.
COUNTING = "#!lua\nredis.call('HINCRBY', KEYS[1], ARGV[1], 1) return ARGV[1]"
BATCH = 100


@pytest_asyncio.fixture
async def proxy(server: Server) -> AsyncIterator[CuttingProxy]:
    with short_directory() as directory:
        proxy = CuttingProxy(server.socket, Path(directory) / "p")
        await proxy.start()
        yield proxy
        await proxy.stop()


@pytest_asyncio.fixture
async def connection(proxy: CuttingProxy) -> AsyncIterator[PipelinedConnection]:
    connection = PipelinedConnection(ConnectionFactory(f"unix://{proxy.path}"))
    await connection.open()
    yield connection
    await connection.close()


class Tally:
    """What callers heard, by how it ended."""

    def __init__(self, connection: PipelinedConnection, key: str, sha: str) -> None:
        self._connection, self._key, self._sha = connection, key, sha
        self.asked = 0
        self.cancelled = 0
        self.done: set[str] = set()
        self.refused: set[str] = set()
        self.unknown: set[str] = set()
        self.mixed_up = 0

    async def ask(self, nonce: str) -> None:
        self.asked += 1
        try:
            reply = await self._connection.call("EVALSHA", self._sha, 1, self._key, nonce, repeatable=False)
        except Unavailable:
            self.refused.add(nonce)
        except UnknownOutcome:
            self.unknown.add(nonce)
        except asyncio.CancelledError:
            self.cancelled += 1
            self.unknown.add(nonce)
        else:
            self.done.add(nonce)
            self.mixed_up += reply != nonce.encode()

    async def batch(self, prefix: str, *, cancel: float = 0.0, dice: random.Random | None = None) -> None:
        tasks = [asyncio.create_task(self.ask(f"{prefix}-{i}")) for i in range(BATCH)]
        if dice and cancel:
            # Some go away before the batch is written, some while replies are on their way.
            for when in range(3):
                await asyncio.sleep(0 if when < 2 else 0.0005)
                for task in tasks:
                    if dice.random() < cancel / 3:
                        task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def judge(self, effects: dict[bytes, bytes]) -> None:
        counts = {nonce.decode(): int(count) for nonce, count in effects.items()}
        assert self.mixed_up == 0
        assert max(counts.values()) == 1, "something was done twice"
        assert not self.done - counts.keys(), "a success that was never carried out"
        assert not self.refused & counts.keys(), "refused as not done, but done"


async def test_a_stream_cut_anywhere_mixes_up_nothing_and_doubles_nothing(
    proxy: CuttingProxy, connection: PipelinedConnection, server: Server, full: bool
) -> None:
    """Each connection is cut a byte later than the one before, or two bytes if not in full."""
    sha = (await connection.call("SCRIPT", "LOAD", COUNTING, repeatable=True)).decode()
    key = f"cuts-{random.getrandbits(64)}"
    tally = Tally(connection, key, sha)
    dice = random.Random(1)
    # The whole pipeline is some 12 kB of requests and 1 kB of replies: every byte of the replies
    # and of two whole requests, then strides.
    step = 1 if full else 2
    places = [("replies", at) for at in range(1, 900, step)] + [
        ("requests", at) for at in (*range(1, 260, step), *range(260, 12_000, 53 * step))
    ]
    for number, (where, at) in enumerate(places):
        proxy.never_cut()
        await connection.call("PING", repeatable=True)
        (proxy.cut_requests_after if where == "requests" else proxy.cut_replies_after)(at)
        await tally.batch(f"{number}", cancel=0.12, dice=dice)
    proxy.never_cut()
    await connection.call("PING", repeatable=True)
    await tally.batch("after")
    with server.client() as client:
        tally.judge(client.hgetall(key))
        client.delete(key)
    assert len([nonce for nonce in tally.done if nonce.startswith("after-")]) == BATCH
    assert tally.asked >= 100_000 // step
    assert tally.cancelled >= 10_000 // step
    assert proxy.cuts >= 500


async def test_a_repeatable_call_survives_one_cut(proxy: CuttingProxy, connection: PipelinedConnection) -> None:
    """A repeatable call is sent once more on the new connection, and its caller gets the reply."""
    await connection.call("PING", repeatable=True)
    waiting = [connection.call("ECHO", f"{i}", repeatable=True) for i in range(50)]
    await asyncio.sleep(0)
    proxy.cut_now()
    assert await asyncio.gather(*waiting) == [str(i).encode() for i in range(50)]


def test_calls_in_the_moment_of_a_loss_wait_for_the_next_connection(server: Server) -> None:
    """uvloop's transports refuse to be written to once they are closed, before that is heard of."""

    async def ask() -> None:
        connection = PipelinedConnection(ConnectionFactory(server.url))
        await connection.open()
        for turns in range(5):  # of the event loop, from the loss to the calls
            await connection.call("PING", repeatable=True)
            assert connection._transport is not None
            connection._transport.abort()
            for _ in range(turns):
                await asyncio.sleep(0)
            calls = [connection.call("PING", repeatable=True) for _ in range(FULL_BATCH + 1)]
            assert await asyncio.gather(*calls) == [b"PONG"] * len(calls)
        await connection.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask())


async def test_a_batch_that_is_cut_says_of_each_command_what_it_ended_in(
    proxy: CuttingProxy, connection: PipelinedConnection
) -> None:
    """Those that were answered have their replies."""
    assert await connection.call_all([("ECHO", f"{i}") for i in range(3)]) == [b"0", b"1", b"2"]
    proxy.cut_replies_after(3 * len(b"$1\r\n0\r\n") + 2)
    outcomes = await connection.call_all([("ECHO", f"{i}") for i in range(6)])
    assert outcomes[:3] == [b"0", b"1", b"2"]
    assert [type(outcome) for outcome in outcomes[3:]] == [ConnectionLost] * 3
    assert await connection.call("ECHO", "after", repeatable=True) == b"after"


@pytest.mark.parametrize("stray", [b"+nobody asked\r\n", b"+nobody\r\n+asked\r\n", b"?\r\n+nonsense\r\n"])
async def test_a_reply_that_nobody_asked_for_ends_the_connection_and_reaches_nobody(
    proxy: CuttingProxy, connection: PipelinedConnection, stray: bytes
) -> None:
    """From there on it would not be known whose the next one is."""
    await connection.call("PING", repeatable=True)
    proxy.slip_in(stray)
    await asyncio.sleep(0.05)
    waiting = [connection.call("ECHO", f"{i}", repeatable=True) for i in range(50)]
    assert await asyncio.gather(*waiting) == [str(i).encode() for i in range(50)]


async def test_an_unrepeatable_call_ends_in_unknown_outcome(
    proxy: CuttingProxy, connection: PipelinedConnection
) -> None:
    """It was sent, then the connection was lost: the outcome is unknown."""
    pending = connection.call("DEBUG_NOTHING", repeatable=False)
    assert isinstance(await pending, ReplyError)
    proxy.cut_replies_after(1)
    with pytest.raises(UnknownOutcome):
        await connection.call("INCR", f"unrepeatable-{random.getrandbits(64)}", repeatable=False)


async def test_calls_wait_for_a_lost_server_until_their_deadline(server: Server) -> None:
    """While the server is away, calls wait until their deadline, then end as not done."""
    with short_directory() as directory:
        own = Server(directory / "own")
        own.start()
        connection = PipelinedConnection(ConnectionFactory(own.url), deadline_s=1.0)
        await connection.open()
        own.kill()
        await asyncio.sleep(0.05)
        late = connection.call("PING", repeatable=False)
        with pytest.raises(Unavailable):
            await late
        early = connection.call("PING", repeatable=False)
        own.start()
        assert await early == b"PONG"
        await connection.close()
        own.stop()


@pytest.mark.parametrize("closed", [False, True])
async def test_a_repeatable_call_that_cannot_be_repeated_ends_in_unknown_outcome(
    server: Server, proxy: CuttingProxy, app: str, closed: bool
) -> None:
    """It was carried out, and there is no connection until its deadline or the end.

    So the caller may not be told that nothing was done.
    """
    connection = PipelinedConnection(ConnectionFactory(f"unix://{proxy.path}"), deadline_s=0.5)
    await connection.open()
    await connection.call("PING", repeatable=True)
    proxy.path.unlink()
    proxy.cut_replies_after(1)
    pending = connection.call("INCR", app, repeatable=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pending), 0.1)
    if closed:
        await connection.close()
    with pytest.raises(UnknownOutcome):
        await pending
    await connection.close()
    with server.client() as client:
        assert client.getdel(app) == b"1"


@pytest.mark.parametrize("how", ["failed", "cancelled"])
async def test_what_calls_together_end_in_is_for_their_caller_alone(
    server: Server, proxy: CuttingProxy, app: str, how: str
) -> None:
    """The first call meets foreign data; of some of the others the reply is lost."""
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    executor = await connect(f"unix://{proxy.path}")
    foreign = Keys.room(app, "foreign")
    await executor.command("SET", foreign, "foreign", key=foreign)
    proxy.path.unlink()
    keys = [foreign, *(Keys.room(app, str(number)) for number in range(400))]
    proxy.cut_replies_after(1000)
    asking = asyncio.create_task(executor.call_each([(key, plain_call("pending", app)) for key in keys]))

    async def is_lost() -> bool:
        return executor.why_away() != ""

    await wait_until(is_lost, "the connection to be lost")
    if how == "cancelled":
        asking.cancel()
    await executor.close()
    with pytest.raises(ScriptFailed if how == "failed" else asyncio.CancelledError):
        await asking
    del asking
    gc.collect()
    await asyncio.sleep(0)
    assert heard == []
    with server.client() as client:
        client.delete(foreign)


async def test_it_connects_again_after_a_defect_too(
    server: Server, proxy: CuttingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Once when it connects, and once when it reads: all calls of the worker need it."""
    connect_now = ConnectionFactory(f"unix://{proxy.path}")
    defects: list[str] = []

    def make_connection() -> AbstractConnection:
        if defects:
            raise ValueError(defects.pop())
        return connect_now()

    def on_slow() -> None:
        raise ValueError("a defect while it reads")

    connection = PipelinedConnection(make_connection, on_slow=on_slow)
    await connection.open()
    defects.append("a defect while it connects")
    proxy.slip_in(b"-BUSY a script runs\r\n")
    assert await connection.call("ECHO", "again", repeatable=True) == b"again"
    assert connection.connects == 2
    assert {record.exc_info[1].args[0] for record in caplog.records if record.exc_info and record.exc_info[1]} == {
        "a defect while it connects",
        "a defect while it reads",
    }
    await connection.close()


async def nothing_is_left_open(server: Server) -> None:
    """What is left open would be closed with a warning, by the garbage collector."""

    async def no_other_client() -> bool:
        with server.client() as client:
            return len(client.client_list()) == 1

    await wait_until(no_other_client, "all connections to be closed")
    with warnings.catch_warnings(action="error"):
        gc.collect()


async def test_a_connection_that_is_closed_at_once_is_not_left_open(own_server: Server) -> None:
    """Two callers connected to a node at the same time, and one connection is too many."""
    connection = PipelinedConnection(ConnectionFactory(own_server.url))
    await connection.open()
    await connection.close()
    await nothing_is_left_open(own_server)


async def test_a_connection_that_is_cancelled_while_it_is_made_is_not_left_open(own_server: Server) -> None:
    """At any moment: before the server has taken it, while it logs in, while it says its role."""
    cancelled = 0
    for turns in range(2, 60):
        connection = NodeConnection(f"{own_server.url}?client_name=some-worker")
        connection.primary_only = True
        opening = asyncio.create_task(connection.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled += opening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await opening
        await connection.close()
    assert 10 < cancelled < 58
    await nothing_is_left_open(own_server)


async def test_too_many_calls_in_flight_are_refused_at_once(connection: PipelinedConnection) -> None:
    """The connection's queue is bounded."""
    calls = [connection.call("PING", repeatable=True) for _ in range(20_050)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Unavailable) for result in results) == 50
    assert results[0] == b"PONG"


async def test_a_flushed_script_is_loaded_and_called_again(server: Server, app: str) -> None:
    """An unknown function proves that nothing ran, so the call is repeated whatever it is."""
    executor = await connect(server.url)
    await executor.command("FUNCTION", "FLUSH", key="any")
    assert await executor.call(plain_call("badge", app, "x"), f"{{u:{app}:x}}", repeatable=False) == [
        0,
        0,
        [],
        [],
    ]
    await executor.close()
