"""A service on a server that Sentinels watch: it goes where they say."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from redis.asyncio.connection import SSLConnection

from readstate.errors import Fault
from readstate.settings import Settings, SettingsError
from readstate.store.connect import connect
from readstate.store.connections import ConnectionFactory
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.sentinel import service_of
from readstate.store.server_check import ServerAway, ServerRefused, check_server
from tests.support.processes import own_service
from tests.support.rooms import a_room, posted, unread_of
from tests.support.sentinels import OF_SENTINELS, PASSWORD, SERVICE, Watched
from tests.support.servers import free_port, short_directory
from tests.support.waiting import wait_until

APP = "t"


@pytest.fixture
def watched() -> Iterator[Watched]:
    with short_directory() as directory:
        watched = Watched(directory)
        try:
            watched.start()
            yield watched
        finally:
            watched.stop()


async def test_a_failover_that_is_asked_for_fails_no_call(watched: Watched) -> None:
    executor = await connect(watched.url)
    store = redis_store(executor)
    await a_room(store, APP)
    failing, posts = asyncio.create_task(asyncio.to_thread(watched.fail_over)), 0
    while not failing.done() or posts < 50:
        await posted(store, APP, message=f"m{posts}")
        posts += 1
        await asyncio.sleep(0.02)
    assert await unread_of(store, APP, "ann") == posts
    with watched.client(watched.primary_port()) as client:
        assert client.info("replication")["role"] == "master"
        assert client.exists(f"{{r:{APP}:r}}")
    await executor.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_primary_that_dies_or_hangs_is_left_for_the_one_that_the_sentinels_name(
    watched: Watched, how: signal.Signals
) -> None:
    executor = await connect(watched.url)
    store = redis_store(executor)
    await a_room(store, APP)
    port = watched.primary_port()
    with watched.client(port) as client:
        client.execute_command("WAIT", 1, 5000)
    os.kill(watched.servers[port].pid, how)
    await wait_until(lambda: is_posted(store), "the new primary to be found", timeout_s=40)
    assert watched.primary_port() != port
    await executor.close()


async def is_posted(store: RedisStore) -> bool:
    try:
        await posted(store, APP, message="m")
    except Fault:
        return False
    return True


def test_a_service_serves_and_says_no_password(watched: Watched) -> None:
    """It starts, all commands of it included, and is ready after a failover."""
    with own_service(redis_url=watched.url) as service:
        watched.fail_over()
        assert service.get("/readyz")[0] == 200
    written = "".join(service.logged + service.printed)
    assert PASSWORD not in written
    assert OF_SENTINELS not in written


async def test_what_is_wrong_with_the_sentinels_is_said(watched: Watched) -> None:
    with pytest.raises(ServerAway, match="the Sentinels name no primary of nothing: they know of no such service"):
        await check_server(watched.url.replace(f"/{SERVICE}", "/nothing"))
    with pytest.raises(ServerAway, match=r"the Sentinels name no primary of chat: .*Authentication required"):
        await check_server(watched.url.partition("?")[0])
    with pytest.raises(ServerAway, match=r"Connection refused|connecting"):
        await check_server(f"redis+sentinel://127.0.0.1:{free_port()}/{SERVICE}")
    with pytest.raises(ServerRefused, match="wants another user or password"):
        await check_server(watched.url.replace(f":{PASSWORD}@", ""))


def test_tls_is_for_both_and_so_is_its_authority() -> None:
    url = "rediss+sentinel://u:p@one:1,two:2/chat?ssl_ca_certs=/ca.pem&sentinel_username=s&sentinel_password=%40"
    service = service_of(url)
    assert service is not None
    assert service.url == "rediss://u:p@one:1?ssl_ca_certs=%2Fca.pem"
    assert service.sentinels == tuple(f"rediss://s:%40@{host}?ssl_ca_certs=%2Fca.pem" for host in ("one:1", "two:2"))
    connection = ConnectionFactory(url)()
    assert isinstance(connection, SSLConnection)
    assert connection.ssl_context.ca_certs == "/ca.pem"


@pytest.mark.parametrize(
    "url",
    ["redis+sentinel://one:1", "redis+sentinel://one:1,/chat", "redis+sentinel://one:x/chat", "http+sentinel://a/b"],
)
def test_a_url_that_names_no_service_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="READSTATE_REDIS_URL"):
        Settings.from_environ({"READSTATE_REDIS_URL": url})


def test_a_url_that_names_a_service_is_taken() -> None:
    url = "redis+sentinel://:p@one:1,two:2/chat"
    assert Settings.from_environ({"READSTATE_REDIS_URL": url}).redis_url == url
