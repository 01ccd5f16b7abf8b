"""What is published of some rooms and users, as a worker hears it."""

import contextlib
import secrets
from collections.abc import AsyncIterator

from readstate.domain.notices import Mark, Notice, Source, encode_notice
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.notices import RedisNotices
from tests.support.waiting import wait_until


class Ear:
    """`heard` is what was published since the ear was opened, `gaps` are the reported ones."""

    def __init__(self, executor: Executor, url: str) -> None:
        self.executor = executor
        self.notices = RedisNotices(executor, url)
        self.heard: list[tuple[Source, Notice]] = []
        self.gaps: list[Source] = []
        self.notices.attach(lambda source, notice: self.heard.append((source, notice)), self.gaps.extend)

    async def publish(self, source: Source, notice: Notice | bytes) -> None:
        content = notice if isinstance(notice, bytes) else encode_notice(notice)
        channel = channel_of(source)
        await self.executor.command("SPUBLISH", channel, content, key=channel)

    async def catch_up(self, *sources: Source) -> list[tuple[Source, Notice]]:
        """What has been published of `sources` until now, and was not returned before."""
        mark = Mark("", secrets.token_hex(8))
        for source in sources:
            await self.publish(source, mark)

        async def arrived() -> bool:
            return sum(notice == mark for _, notice in self.heard) == len(sources)

        await wait_until(arrived, "the marks")
        heard, self.heard = self.heard, []
        return [(source, notice) for source, notice in heard if source in sources and notice != mark]


def channel_of(source: Source) -> str:
    return (Keys.room if source.kind == "room" else Keys.user)(source.app, source.name)


@contextlib.asynccontextmanager
async def an_ear(executor: Executor, url: str, *sources: Source) -> AsyncIterator[Ear]:
    ear = Ear(executor, url)
    try:
        await ear.notices.subscribe(sources)
        yield ear
    finally:
        await ear.notices.stop()
