"""Posts, reads and questions in rooms that change under them, and what was answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from readstate.errors import Fault, ReadStateError, Unavailable
from readstate.store.redis_store import RedisStore
from tests.support.rooms import a_room, posted, unread_of

Answer = TypeVar("Answer")

_PAUSE_S = 0.003
_AGAIN_S = 0.02


@dataclass
class Found:
    """What went wrong, and how much was done."""

    posts: int = 0
    reads: int = 0
    refused: int = 0  # calls of which nothing was done
    unknown: int = 0  # calls of which it was not known
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # what a caller would get as 500, or a refusal

    @property
    def figures(self) -> dict[str, object]:
        return {
            "posts": self.posts,
            "reads": self.reads,
            "refused": self.refused,
            "unknown": self.unknown,
            "lost": len(self.lost),
            "seen_going_back": len(self.back),
            "errors": len(self.errors),
            "wrong": len(self.wrong),
        }

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.wrong, *self.back, *self.errors]


class Traffic:
    """Two people in each room: for "ann <room>" messages come, and "bo <room>" reads them.

    Every call that was refused, or of which the outcome is unknown, is repeated until it is
    answered.
    """

    def __init__(self, stores: Sequence[RedisStore], app: str, rooms: Sequence[str]) -> None:
        self._stores = stores
        self._app = app
        self._rooms = rooms
        self._begun = dict.fromkeys(rooms, 0)
        self._seqs: dict[str, list[int]] = {room: [] for room in rooms}  # of the messages that were answered
        self._stopping = False
        self.found = Found()

    async def prepare(self) -> None:
        for room in self._rooms:
            await a_room(self._stores[0], self._app, room, members=[f"ann {room}", f"bo {room}"])

    async def run(self, meanwhile: Awaitable[object]) -> None:
        """Until `meanwhile` is done."""
        kinds = (self._post, self._read, self._ask)
        tasks = [asyncio.create_task(self._keep(kind, room)) for room in self._rooms for kind in kinds]
        try:
            await meanwhile
        finally:
            self._stopping = True
            await asyncio.gather(*tasks)

    async def check(self) -> None:
        """Everything that was answered is there, and every count is exact."""
        store, app, found = self._stores[0], self._app, self.found
        for each in self._stores:
            await each.outbox.idle()
        for room in self._rooms:
            posts = len(self._seqs[room])
            for number, answered in enumerate(self._seqs[room]):
                try:
                    seq = (await store.messages.message(app=app, room=room, message=f"m{number}")).seq
                except ReadStateError as error:
                    found.lost.append(f"{room} m{number}: {error}")
                else:
                    if seq != answered:
                        found.wrong.append(f"{room} m{number} has seq {seq}, and was answered {answered}")
            for name, expected in ((f"ann {room}", posts), (f"bo {room}", 0)):
                if name.startswith("bo") and posts:
                    await store.reading.mark_read(app=app, room=room, user=name, message=f"m{posts - 1}")
                badge = await store.badges.badge(app=app, user=name)
                unread = await unread_of(store, app, name, room)
                if not badge == unread == expected:
                    found.wrong.append(f"{name}: badge {badge}, unread {unread}, expected {expected}")
        found.wrong += [str(drift) for drift in await store.audit.audit_all(app=app)]

    async def _keep(self, kind: Callable[[RedisStore, str], Awaitable[None]], room: str) -> None:
        turn = 0
        while not self._stopping:
            try:
                await kind(self._stores[turn % len(self._stores)], room)
            except Exception as error:  # whatever it is, it is found
                self.found.errors.append(f"{kind.__name__} {room}: {error!r}")
            turn += 1
            await asyncio.sleep(_PAUSE_S)

    async def _until_answered(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                return await call()
            except Unavailable:
                self.found.refused += 1
            except Fault:
                self.found.unknown += 1
            await asyncio.sleep(_AGAIN_S)

    async def _post(self, store: RedisStore, room: str) -> None:
        number = self._begun[room]
        self._begun[room] += 1
        post = await self._until_answered(lambda: posted(store, self._app, room, f"m{number}"))
        self._seqs[room].append(post.seq)
        self.found.posts += 1

    async def _read(self, store: RedisStore, room: str) -> None:
        number = len(self._seqs[room]) - 1
        if number < 0:
            return
        user = f"bo {room}"
        read = await self._until_answered(
            lambda: store.reading.mark_read(app=self._app, room=room, user=user, message=f"m{number}")
        )
        self.found.reads += 1
        if read.seq < self._seqs[room][number]:
            self.found.back.append(f"{user} at {read.seq} after m{number}")
        if not 0 <= read.unread <= self._begun[room] - number - 1:
            self.found.wrong.append(f"{user} has {read.unread} unread after m{number} of {self._begun[room]}")

    async def _ask(self, store: RedisStore, room: str) -> None:
        least = len(self._seqs[room])
        badge = await self._until_answered(lambda: store.badges.badge(app=self._app, user=f"ann {room}"))
        if not least <= badge <= self._begun[room]:
            self.found.wrong.append(f"ann {room}: badge {badge} of {least} to {self._begun[room]}")
