"""From a URL to an Executor, for one server or a cluster, with the scripts loaded."""

import contextlib
from pathlib import Path

from readstate.errors import StoreFull
from readstate.store.cluster import Cluster
from readstate.store.connections import NodeConnection
from readstate.store.executor import Executor
from readstate.store.noted_layout import noted_layouts, why_refused
from readstate.store.released import shutting_out
from readstate.store.replies import ScriptFailed, reply_or_raise
from readstate.store.scripts import PREFIX, load_scripts
from readstate.store.server_check import ServerRefused
from readstate.store.single_server import SingleServer


async def connect(url: str, *, lua: Path | None = None, load: bool = True) -> Executor:
    """Connect to the server or cluster at `url` and, unless `load` is false, load the scripts.

    `url` begins with redis://, rediss:// or unix://. The server says itself which of the two it is.
    `lua`: the directory of the scripts, if not the usual one. Raises Unavailable when the server
    cannot be reached, and ServerRefused when its data have a later layout.
    """
    connection = NodeConnection(url)
    await connection.open()
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(connection.close)
        executor: Executor
        if b"cluster_enabled:1" in reply_or_raise(await connection.call("INFO", "cluster", repeatable=True)):
            executor = Cluster(url, load_scripts("split", lua))
            await connection.close()
            opened.pop_all()
            opened.push_async_callback(executor.close)
        else:
            executor = SingleServer(connection, url, load_scripts("atomic", lua))
        if sentence := why_refused(await noted_layouts(executor)):
            raise ServerRefused(sentence)
        if load:
            await load_functions(executor)
        opened.pop_all()
    return executor


async def load_functions(executor: Executor) -> None:
    """Load the scripts where they are missing, and remove those of other versions.

    A worker of another version loads its own again when it misses them. What shuts a version out
    stays.
    """
    library = executor.scripts["apply"].lib  # an audit loads its own
    known = await _known_libraries(executor)
    if not all(library.name in names for names in known):
        try:
            await executor.each_node("FUNCTION", "LOAD", "REPLACE", library.text)
        except StoreFull:
            raise StoreFull(
                "The store is full and cannot take the functions of this version: give it more memory"
            ) from None
    for name in (
        set.union(*known) - {script.lib.name for script in executor.scripts.values()} - shutting_out(executor.plan)
    ):
        # Another worker may be quicker.
        with contextlib.suppress(ScriptFailed):
            await executor.each_node("FUNCTION", "DELETE", name)


async def has_functions(executor: Executor) -> bool:
    """Whether every primary knows the scripts of this version. Writes nothing."""
    library = executor.scripts["apply"].lib
    return all(library.name in names for names in await _known_libraries(executor))


async def _known_libraries(executor: Executor) -> list[set[str]]:
    """The names of our libraries on each primary."""
    replies = await executor.each_node("FUNCTION", "LIST", "LIBRARYNAME", PREFIX + "*")
    return [{entry[1].decode() for entry in node} for node in replies]
