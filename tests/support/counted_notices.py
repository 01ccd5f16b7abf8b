"""`domain.notices.Notices` without a store: counts subscriptions, and hears what a test says."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable

from readstate.domain.notices import Recent, Source


class CountedNotices:
    """`counts` are the subscriptions that have not been undone.

    `pause` is how many turns of the event loop a subscription takes. It goes on when no one listens
    any more.
    """

    def __init__(self, pause: int = 0) -> None:
        self.counts: Counter[Source] = Counter()
        self.known: set[Source] = set()
        self.pause = pause
        self.recent = Recent(frozenset(), [])

    async def subscribe(self, sources: Collection[Source]) -> None:
        for _ in range(self.pause):
            await asyncio.sleep(0)
        self.counts.update(sources)
        self.known.update(sources)

    def retain(self, source: Source) -> bool:
        if source not in self.known:
            return False
        self.counts[source] += 1
        return True

    def unsubscribe(self, sources: Iterable[Source]) -> None:
        for source in sources:
            assert self.counts[source] > 0
            self.counts[source] -= 1
        self.counts += Counter()

    async def catch_up(self, room: Source, users: Collection[str], mark: str) -> Recent:
        return self.recent

    def attach(self, on_notice: object, on_gap: object) -> None:
        """Nothing arrives by itself."""
