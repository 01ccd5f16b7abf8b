"""Servers that are not ready, or go away."""

import socket
from pathlib import Path

import pytest

from readstate.domain.notices import MessagePosted, Topic
from readstate.errors import Unavailable, UnknownOutcome
from readstate.store.connect import connect
from readstate.store.executor import all_or_raise
from readstate.store.redis_store import redis_store
from readstate.store.server_check import check_server
from tests.support.calls import plain_call
from tests.support.ears import Ear
from tests.support.proxy import CuttingProxy
from tests.support.servers import Cluster, Server, short_directory
from tests.support.waiting import wait_until_now


async def test_a_connection_that_comes_to_nothing_is_closed(plan_url: str, request: pytest.FixtureRequest) -> None:
    """A worker that waits for its store asks every second; connections left behind would add up."""
    node: Server = (
        request.getfixturevalue("server")
        if plan_url.startswith("unix:")
        else request.getfixturevalue("cluster").nodes[0]
    )
    url = f"{plan_url}?username=weak&password=weak"
    with node.client() as client:
        client.execute_command("ACL", "SETUSER", "weak", "on", ">weak", "~*", "&*", "+@all", "-function")
        before = len(client.client_list())
        for _ in range(3):
            with pytest.raises(Unavailable):
                await connect(url)
        wait_until_now(lambda: len(client.client_list()) <= before, "the connections to be closed")
        client.execute_command("ACL", "DELUSER", "weak")


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("script", "fault"), [("room", Unavailable), ("hit_rate_limit", UnknownOutcome)])
async def test_only_a_script_that_writes_may_have_been_carried_out(
    server: Server, app: str, script: str, fault: type[Exception], together: bool
) -> None:
    """Its reply is lost with the connection, and there is no other until the deadline."""
    with short_directory() as directory:
        proxy = CuttingProxy(server.socket, Path(directory) / "p")
        await proxy.start()
        executor = await connect(f"unix://{proxy.path}")
        proxy.path.unlink()
        proxy.cut_replies_after(1)
        call, key = plain_call(script, "1000"), f"{{r:{app}:r}}"

        async def ask() -> None:
            if together:
                all_or_raise(await executor.call_each([(key, call)]))
            else:
                await executor.call(call, key)

        with pytest.raises(fault):
            await ask()
        await executor.close()
        await proxy.stop()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this system has no IPv6")
async def test_a_cluster_may_have_ipv6_addresses() -> None:
    """Scripts on every node, the check at start, and notices by whichever node."""
    with short_directory() as directory:
        cluster = Cluster(directory, "::1")
        cluster.start()
        try:
            assert (await check_server(cluster.url)).primaries == len(cluster.nodes)
            executor = await connect(cluster.url)
            store = redis_store(executor)
            ear = Ear(executor, cluster.url)
            rooms = [f"room-{number}" for number in range(12)]
            await ear.notices.subscribe([Topic.room("a", room) for room in rooms])
            for room in rooms:
                await store.rooms.create_room(app="a", room=room, tags=[], profile={}, members=["ann", "ben"])
                await store.messages.post(
                    app="a",
                    room=room,
                    message="m",
                    sender="ann",
                    countable=True,
                    body="{}",
                    sender_must_be_member=True,
                )
            assert (await store.badges.badge(app="a", user="ben", tags=[])) == 12
            heard = await ear.catch_up(*(Topic.room("a", room) for room in rooms))
            assert {notice.room for _, notice in heard if isinstance(notice, MessagePosted)} == set(rooms)
            await ear.notices.stop()
            await store.outbox.close()
            await executor.close()
        finally:
            cluster.stop()
