"""What is published of some rooms and users, as a worker hears it."""

import contextlib
import secrets
from collections.abc import AsyncIterator

from readstate.domain.notices import Barrier, Notice, Topic, encode_notice
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.notices import RedisNotices
from tests.support.waiting import wait_until


class Ear:
    """`heard` is what was published since the ear was opened, `gaps` are the reported ones."""

    def __init__(self, executor: Executor, url: str) -> None:
        self.executor = executor
        self.notices = RedisNotices(executor, url)
        self.heard: list[tuple[Topic, Notice]] = []
        self.gaps: list[Topic] = []
        self.notices.attach(lambda topic, notice: self.heard.append((topic, notice)), self.gaps.extend)

    async def publish(self, topic: Topic, notice: Notice | bytes) -> None:
        content = notice if isinstance(notice, bytes) else encode_notice(notice)
        channel = channel_of(topic)
        await self.executor.command("SPUBLISH", channel, content, key=channel)

    async def catch_up(self, *topics: Topic) -> list[tuple[Topic, Notice]]:
        """What has been published of `topics` until now, and was not returned before."""
        barrier = Barrier("", secrets.token_hex(8))
        for topic in topics:
            await self.publish(topic, barrier)

        async def arrived() -> bool:
            return sum(notice == barrier for _, notice in self.heard) == len(topics)

        await wait_until(arrived, "the barriers")
        heard, self.heard = self.heard, []
        return [(topic, notice) for topic, notice in heard if topic in topics and notice != barrier]


def channel_of(topic: Topic) -> str:
    return (Keys.room if topic.kind == "room" else Keys.user)(topic.app, topic.name)


@contextlib.asynccontextmanager
async def an_ear(executor: Executor, url: str, *topics: Topic) -> AsyncIterator[Ear]:
    ear = Ear(executor, url)
    try:
        await ear.notices.subscribe(topics)
        yield ear
    finally:
        await ear.notices.stop()
