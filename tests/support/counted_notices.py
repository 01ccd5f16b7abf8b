"""`domain.notices.Notices` without a store: counts subscriptions, and hears what a test says."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable

from readstate.domain.notices import Recent, Topic


class CountedNotices:
    """`counts` are the subscriptions that have not been undone.

    `pause` is how many turns of the event loop a subscription takes. It goes on when no one listens
    any more.
    """

    def __init__(self, pause: int = 0) -> None:
        self.counts: Counter[Topic] = Counter()
        self.known: set[Topic] = set()
        self.pause = pause
        self.recent = Recent(frozenset(), [])

    async def subscribe(self, topics: Collection[Topic]) -> None:
        for _ in range(self.pause):
            await asyncio.sleep(0)
        self.counts.update(topics)
        self.known.update(topics)

    def is_heard(self, topic: Topic) -> bool:
        return topic in self.known

    def retain(self, topic: Topic) -> bool:
        if not self.is_heard(topic):
            return False
        self.counts[topic] += 1
        return True

    def unsubscribe(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            assert self.counts[topic] > 0
            self.counts[topic] -= 1
        self.counts += Counter()

    async def catch_up(self, room: Topic, users: Collection[str], barrier: str) -> Recent:
        return self.recent

    def attach(self, on_notice: object, on_gap: object) -> None:
        """Nothing arrives by itself."""
