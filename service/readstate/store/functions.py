"""The functions that the server keeps: loaded when a worker starts, deleted when no one calls them.

Services of two releases may work on one store: each has functions of its own names (scripts.py).
Those of a release stay while one of its workers lives (workers.py). A worker that misses its
functions, on a restarted server or a new node, loads them with the call that misses them.
"""

import contextlib
from collections.abc import Set

from readstate.errors import StoreFull
from readstate.store.executor import Executor
from readstate.store.released import shutting_out
from readstate.store.replies import ScriptFailed
from readstate.store.scripts import PREFIX


async def load_functions(executor: Executor) -> None:
    """Load the functions of this version where they are missing.

    Raises StoreFull, and what Executor.each_node does.
    """
    library = executor.scripts["apply"].lib  # an audit loads its own
    if not await has_functions(executor):
        try:
            await executor.each_node("FUNCTION", "LOAD", "REPLACE", library.text)
        except StoreFull:
            raise StoreFull(
                "The store is full and cannot take the functions of this version: give it more memory"
            ) from None


async def has_functions(executor: Executor) -> bool:
    """Whether every primary has the functions of this version.

    Raises what Executor.each_node does.
    """
    library = executor.scripts["apply"].lib
    return all(library.name in names for names in await _loaded(executor))


async def delete_functions(executor: Executor, *, used: Set[str]) -> None:
    """Delete the libraries that are neither ours nor in `used`. What shuts a version out stays.

    Raises what Executor.each_node does.
    """
    own = {script.lib.name for script in executor.scripts.values()}
    for name in set.union(*await _loaded(executor)) - used - own - shutting_out(executor.plan):
        # Another worker may be quicker.
        with contextlib.suppress(ScriptFailed):
            await executor.each_node("FUNCTION", "DELETE", name)


async def _loaded(executor: Executor) -> list[set[str]]:
    """The names of our libraries on each node."""
    nodes = await executor.each_node("FUNCTION", "LIST", "LIBRARYNAME", PREFIX + "*")
    return [{entry[1].decode() for entry in node} for node in nodes]
