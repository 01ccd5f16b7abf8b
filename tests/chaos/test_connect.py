"""Servers that are not ready for us, or go away."""

from pathlib import Path

import pytest

from service.errors import Unavailable, UnknownOutcome
from service.store.connect import connect
from tests.support.proxy import CuttingProxy
from tests.support.servers import Server, short_directory
from tests.support.waiting import wait_until_now


async def test_a_connection_that_comes_to_nothing_is_closed(plan_url: str, request: pytest.FixtureRequest) -> None:
    """A worker that waits for its store asks every second; connections that were left behind would add up."""
    node: Server = request.getfixturevalue("server") if plan_url.startswith("unix:") else request.getfixturevalue("cluster").nodes[0]
    url = f"{plan_url}?username=weak&password=weak"
    with node.client() as client:
        client.execute_command("ACL", "SETUSER", "weak", "on", ">weak", "~*", "&*", "+@all", "-function")
        before = len(client.client_list())
        for _ in range(3):
            with pytest.raises(Unavailable):
                await connect(url)
        wait_until_now(lambda: len(client.client_list()) <= before, "the connections to be closed")
        client.execute_command("ACL", "DELUSER", "weak")


@pytest.mark.parametrize(("script", "fault"), [("room", Unavailable), ("take", UnknownOutcome)])
async def test_only_a_script_that_writes_may_have_been_carried_out(server: Server, app: str, script: str, fault: type[Exception]) -> None:
    """Its reply is lost with the connection, and there is no other until the deadline."""
    with short_directory() as directory:
        proxy = CuttingProxy(server.socket, Path(directory) / "p")
        await proxy.start()
        caller = await connect(f"unix://{proxy.path}")
        proxy.path.unlink()
        proxy.cut_replies_after(1)
        with pytest.raises(fault):
            await caller.call(caller.scripts[script], [f"{{r:{app}:r}}"], ["1000"])
        await caller.close()
        await proxy.stop()
