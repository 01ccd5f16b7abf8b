"""The store as the supervisor examines it, before the service says that it is ready."""

import asyncio
import logging

from readstate.errors import Fault
from readstate.process.workers import Workers
from readstate.store.replies import needs_operator
from readstate.store.server_check import ServerAway, ServerFacts, check_server

STORE_AGAIN_S = 1.0

logger = logging.getLogger("readstate")


class AwaitedStore:
    """The store at `url`: a server of the operator's own, or the embedded one.

    One of the operator's own may be away, and is waited for. `refusal` is why the service stops
    when it comes and cannot be used.
    """

    def __init__(self, url: str, *, embedded: bool) -> None:
        self._url = url
        self.embedded = embedded
        self.facts: ServerFacts | None = None
        self.layout = ""
        self.refusal: Exception | None = None
        self._away = ""

    def examine(self) -> bool:
        """Whether it is there. If so, it was examined, and the work on its data has begun.

        Raises ServerRefused, and Fault where waiting cannot help.
        """
        try:
            facts = asyncio.run(check_server(self._url, loading_patience_s=0.0))
            self.layout = asyncio.run(_begin_layout(self._url, alone=self.embedded))
        except (ServerAway, Fault) as error:
            if self.embedded or (isinstance(error, Fault) and needs_operator(error)):
                raise
            if str(error) != self._away:
                logger.warning("waiting for the store: %s", error)
            self._away = str(error)
            return False
        for warning in facts.warnings:
            logger.warning(warning)
        self.facts = facts
        return True

    def wait(self, workers: Workers) -> bool:
        """Wait until it is there. Returns False when the service stops before that."""
        try:
            while self.facts is None and not self.examine():
                if workers.wait_for_stop(STORE_AGAIN_S):
                    return False
        except Exception as error:
            self.refusal = error
            workers.stop()
            return False
        return True


async def _begin_layout(url: str, *, alone: bool) -> str:
    """Begin to work on the data, so that the workers need not be refused, each with a traceback.

    Returns which layout the data have. Raises ServerRefused, and what `connect` does.
    """
    # Not earlier: they import the metrics, which need the directory for them.
    from readstate.store.connect import connect
    from readstate.store.layout import StoreLayout

    executor = await connect(url)
    try:
        layout = StoreLayout(executor)
        await layout.begin(alone=alone)
        return layout.describe()
    finally:
        await executor.close()
