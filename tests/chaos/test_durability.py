"""Durability: an answer comes when the change is on disk, or at a replica, and else says that this
is not known.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from readstate.dialects.imkit.operation import Principal
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from readstate.domain.durability import Durability
from readstate.settings import Settings
from readstate.store.connect import connect
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, in_process, result
from tests.support.rocketchat import Rocketchat
from tests.support.servers import Cluster, Server, free_port, short_directory
from tests.support.tencent import Tencent, with_tencent
from tests.support.waiting import wait_until_now

NOT_KNOWN = "it is not known to be"


@pytest.fixture
def replica(own_server: Server) -> Iterator[Server]:
    """A replica of `own_server`."""
    port = free_port()
    with short_directory() as directory, own_server.client() as primary:
        primary.config_set("port", port)
        replica = Server(directory / "replica")
        replica.start()
        with replica.client() as client:
            client.replicaof("127.0.0.1", port)
            wait_until_now(lambda: client.info("replication")["master_link_status"] == "up", "the replica to follow")
        yield replica
        os.kill(replica.pid, signal.SIGCONT)
        replica.kill()


@asynccontextmanager
async def service_on(url: str, **more: object) -> AsyncIterator[Imkit]:
    settings = Settings(redis_url=url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="s" * 48)
    async with in_process(with_tencent(msgspec.structs.replace(settings, durability_within_ms=200, **more))) as imkit:
        yield imkit


async def a_room(imkit: Imkit) -> None:
    await imkit.room("hall", "ann", "ben")
    for message in ("m1", "m2", "m3", "m4"):
        await imkit.post("hall", "ann", message)


async def read(imkit: Imkit, message: str, prefer: str = "") -> httpx.Response:
    headers = {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": await token_of(imkit, "ben")}
    if prefer:
        headers["Prefer"] = prefer
    return await imkit.call("PUT", "/rooms/hall/lastRead", {"message": message}, headers)


async def token_of(imkit: Imkit, user: str) -> str:
    return imkit.tokens.get(user) or await imkit.sign_in(user)


def is_not_known(answer: httpx.Response, level: str) -> bool:
    return (
        answer.status_code == 503
        and f"it is not known to be {level}" in answer.json()["error"]["message"]
        and answer.headers["Retry-After"] == "1"
        and "Preference-Applied" not in answer.headers
    )


async def test_a_call_may_ask_for_fsync(own_server: Server) -> None:
    async with service_on(own_server.url) as imkit:
        await a_room(imkit)
        answer = await read(imkit, "m1", "respond-async, durability=fsynced; wait=9")
        assert result(answer)["unread"] == 3
        assert answer.headers["Preference-Applied"] == "durability=fsynced"


async def test_what_is_not_on_disk_in_time_is_said_and_a_repeat_works(own_server: Server) -> None:
    async with service_on(own_server.url) as imkit:
        await a_room(imkit)
        with own_server.client() as client:
            client.config_set("appendfsync", "no")
            assert is_not_known(await read(imkit, "m2", "durability=fsynced"), "fsynced")
            assert await imkit.badge("ben") == 2
            client.config_set("appendfsync", "always")
        assert result(await read(imkit, "m2", "durability=fsynced"))["badge"] == 2


async def test_without_an_append_only_file_nothing_is_fsynced(own_server: Server) -> None:
    async with service_on(own_server.url) as imkit:
        await a_room(imkit)
        with own_server.client() as client:
            client.config_set("appendonly", "no")
        answer = await read(imkit, "m2", "durability=fsynced")
        assert is_not_known(answer, "fsynced")
        assert "appendonly is disabled" in answer.text


async def test_a_replica_that_lags_is_said_in_each_dialect(own_server: Server, replica: Server) -> None:
    async with service_on(own_server.url, durability="replicated") as imkit:
        await a_room(imkit)
        assert result(await read(imkit, "m1"))["unread"] == 3
        os.kill(replica.pid, signal.SIGSTOP)
        assert is_not_known(await read(imkit, "m2"), "replicated")
        assert result(await read(imkit, "m3", "durability=fast"))["unread"] == 1
        assert await imkit.badge("ben") == 1, "questions do not wait"
        rocketchat = await Rocketchat(imkit).post("ben", "subscriptions.read", {"rid": "hall"})
        assert (rocketchat.status_code, NOT_KNOWN in rocketchat.text) == (503, True)
        backend = Tencent(imkit)
        await backend.conversation("ann", "ben", ("ben", "1_1_1", 0))
        tencent = await backend.call("openim/admin_set_msg_read", {"Report_Account": "ann", "Peer_Account": "ben"})
        assert NOT_KNOWN in tencent.json()["ErrorInfo"]
        os.kill(replica.pid, signal.SIGCONT)
        assert result(await read(imkit, "m2"))["unread"] == 0


async def test_an_event_of_a_socket_has_the_level_of_the_settings(own_server: Server, replica: Server) -> None:
    async with service_on(own_server.url, durability="replicated") as imkit:
        await a_room(imkit)
        ben = Principal("default", "ben", backend=False, session=None)
        os.kill(replica.pid, signal.SIGSTOP)
        answer = await HTTP_CALLS["lastRead"].answer(imkit.services, ben, {"room": "hall", "message": "m2"})
        assert NOT_KNOWN in answer.decode()
        os.kill(replica.pid, signal.SIGCONT)
        answer = await HTTP_CALLS["lastRead"].answer(imkit.services, ben, {"room": "hall", "message": "m2"})
        assert msgspec.json.decode(answer)["result"]["unread"] == 2


async def test_many_calls_share_a_confirmation(own_server: Server) -> None:
    async with service_on(own_server.url) as imkit:
        await a_room(imkit)
        await token_of(imkit, "ben")
        with own_server.client() as client:
            client.config_set("appendfsync", "everysec")
            client.config_resetstat()
            answers = await asyncio.gather(*(read(imkit, f"m{n % 4 + 1}", "durability=fsynced") for n in range(40)))
            asked = client.info("commandstats")["cmdstat_waitaof"]["calls"]
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert asked <= 10


async def test_an_unknown_level_is_refused_and_nothing_is_done(own_server: Server) -> None:
    async with service_on(own_server.url) as imkit:
        await a_room(imkit)
        answer = await read(imkit, "m4", "durability=safe")
        assert (answer.status_code, "fast, fsynced, replicated" in answer.text) == (400, True)
        assert await imkit.badge("ben") == 4


async def test_what_was_answered_over_a_lost_connection_is_not_confirmed(own_server: Server) -> None:
    executor = await connect(own_server.url)
    try:
        (node,) = executor.nodes()
        assert await executor.confirm(node, 1, Durability.FSYNCED, 2000) == ""
        assert "lost" in await executor.confirm(node, 0, Durability.FSYNCED, 2000)
        own_server.kill()
        assert await executor.confirm(node, 1, Durability.FSYNCED, 200) != ""
    finally:
        await executor.close()


async def test_a_cluster_confirms_every_node_that_was_written(cluster: Cluster) -> None:
    async with service_on(cluster.url) as imkit:
        await a_room(imkit)
        assert result(await read(imkit, "m1", "durability=fsynced"))["unread"] == 3
        assert is_not_known(await read(imkit, "m2", "durability=replicated"), "replicated")
