"""What a worker looks at in the store every few seconds, and what it tells an operator of it."""

from readstate.store.emptied_nodes import EmptiedNodes
from readstate.store.executor import Executor
from readstate.store.functions import load_functions
from readstate.store.health import MemoryHealth, WriteHealth


class StoreHealth:
    """Memory, writes, and nodes that came back empty, as `look` found them last."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._memory = MemoryHealth(executor)
        self._emptied = EmptiedNodes(executor)
        self.writes = WriteHealth(executor)

    async def look(self) -> None:
        """Look at all of it, and load our functions where they are missing. Raises Fault.

        A new node of a cluster knows no functions, and no caller has to wait for them.
        """
        await self._memory.check()
        if not await self.writes.check():
            await self._emptied.look()
            await load_functions(self._executor)

    def warnings(self) -> list[str]:
        """A sentence for each thing that an operator should see to."""
        return [*self._memory.warnings(), *self.writes.warnings(), *self._emptied.warnings()]
