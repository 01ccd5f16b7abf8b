"""From a URL to an Executor, for one server or a cluster, with the scripts loaded."""

import contextlib
from pathlib import Path

from readstate.errors import Unavailable
from readstate.store.cluster import Cluster
from readstate.store.connections import NodeConnection
from readstate.store.executor import Executor
from readstate.store.functions import load_functions
from readstate.store.noted_layout import noted_layouts, why_refused
from readstate.store.replies import reply_or_raise
from readstate.store.scripts import load_scripts
from readstate.store.sentinel import service_of
from readstate.store.server_check import ServerRefused
from readstate.store.single_server import SingleServer


async def connect(url: str, *, lua: Path | None = None, load: bool = True) -> Executor:
    """Connect to the server or cluster at `url` and, unless `load` is false, load the scripts.

    `url` begins with redis://, rediss:// or unix://, or names a service that Sentinels watch
    (sentinel.py). The server says itself which of the two it is.
    `lua`: the directory of the scripts, if not the usual one. Raises Unavailable when the server
    cannot be reached, and ServerRefused when its data have a later layout.
    """
    # Sentinels may name another server while this one is silent, as the nodes of a cluster do.
    connection = NodeConnection(url, has_peers=service_of(url) is not None)
    await connection.open()
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(connection.close)
        executor: Executor
        info = reply_or_raise(await connection.call("INFO", "cluster", "replication", repeatable=True))
        if b"cluster_enabled:1" in info:
            executor = Cluster(url, load_scripts("split", lua))
            await connection.close()
            opened.pop_all()
            opened.push_async_callback(executor.close)
        elif b"role:slave" in info:
            raise Unavailable("the server is a replica")
        else:
            connection.primary_only = True
            executor = SingleServer(connection, url, load_scripts("atomic", lua))
        if sentence := why_refused(await noted_layouts(executor)):
            raise ServerRefused(sentence)
        if load:
            await load_functions(executor)
        opened.pop_all()
    return executor
