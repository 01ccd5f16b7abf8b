"""Notices a node that came back without its data: flushed, or started anew on an empty disk.

Such a node serves, and answers with certainty that there are no rooms. So each node has a data
id, a random word that comes to stay with its data. A worker remembers these ids. One that is gone,
or another one, shows that the data went. It is noted beside the id, for all workers, until an audit
with --repair has gone over everything.
"""

import logging
import secrets
import time

from readstate import metrics
from readstate.store.executor import Executor
from readstate.store.keys import Keys

logger = logging.getLogger(__name__)

_DATA_ID, _SINCE = "mark", "emptied"


class EmptiedNodes:
    """The data ids of the nodes, as `look` found them last. Call `look` every few seconds."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        # By key. It lies in the slot that was a node's first one, and moves with it.
        self._data_ids: dict[str, bytes] = {}
        self._emptied: dict[str, str] = {}  # since when

    async def look(self) -> None:
        """Compare all data ids with those of the last time. Raises what Executor.command does."""
        slots = await self._executor.slots()
        for key in {Keys.data_id(ranges[0][0]) for ranges in slots.values() if ranges} | set(self._data_ids):
            await self._look_at(key)

    def warnings(self) -> list[str]:
        """A sentence for each node that came back empty."""
        return [_sentence(since) for since in sorted(set(self._emptied.values()))]

    async def _look_at(self, key: str) -> None:
        known = self._data_ids.get(key)
        data_id, since = await self._executor.command("HMGET", key, _DATA_ID, _SINCE, key=key)
        if data_id is None:
            await self._executor.command("HSETNX", key, _DATA_ID, secrets.token_hex(8), key=key)
            (data_id,) = await self._executor.command("HMGET", key, _DATA_ID, key=key)
        if known not in (None, data_id) and since is None:
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()
            if await self._executor.command("HSETNX", key, _SINCE, since, key=key):
                metrics.NODES_EMPTIED.inc()
                logger.error(_sentence(since.decode()))
        self._data_ids[key] = data_id
        self._emptied.pop(key, None)
        if since is not None:
            self._emptied[key] = since.decode()


async def forget_emptied(executor: Executor) -> None:
    """An audit has mended what there was to mend. Raises what Executor.command does."""
    async for key in executor.scan(Keys.every_data_id):
        await executor.command("HDEL", key, _SINCE, key=key)


def _sentence(since: str) -> str:
    return (
        f"a node of the store came back without its data (seen at {since}): rooms and users on it are gone, and "
        "counts elsewhere may be wrong; restore a backup or make the rooms anew, then run `readstate audit --repair`"
    )
