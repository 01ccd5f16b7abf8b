"""Posts, reads and questions in rooms that change under them, and what was answered."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from readstate.batches import in_batches
from readstate.errors import Fault, Unavailable
from readstate.store.redis_store import RedisStore
from tests.support.drills import Found
from tests.support.rooms import a_room, posted, unread_of
from tests.support.waiting import wait_until

Answer = TypeVar("Answer")

_PAUSE_S = 0.003
_REMEMBERED = 9_000  # messages of a room; READSTATE_MESSAGE_HISTORY is 10,000
_AGAIN_S = 0.02


Confirm = Callable[[Awaitable[Any]], Awaitable[Any]]


async def unconfirmed(work: Awaitable[Any]) -> Any:
    """What `work` gives: at the level `fast`."""
    return await work


class Traffic:
    """Two people in each room: for "ann <room>" messages come, and "bo <room>" reads them.

    Every call that was refused, or of which the outcome is unknown, is repeated until it is
    answered. `confirm`: waits until what a call has written is confirmed, or raises a Fault.
    """

    def __init__(
        self,
        stores: Sequence[RedisStore],
        app: str,
        rooms: Sequence[str],
        *,
        pause_s: float = _PAUSE_S,
        confirm: Confirm = unconfirmed,
    ) -> None:
        self._stores = list(stores)
        self._using: Counter[int] = Counter()  # calls that use a store now, by its id
        self._app = app
        self._rooms = rooms
        self._pause_s = pause_s
        self._confirm = confirm
        self._begun = dict.fromkeys(rooms, 0)
        self._seqs: dict[str, list[int]] = {room: [] for room in rooms}  # of the messages that were answered
        self._stopping = False
        self.found = Found()

    async def prepare(self) -> None:
        for room in self._rooms:
            await a_room(self._stores[0], self._app, room, members=users_of(room))

    async def run(self, meanwhile: Awaitable[object]) -> None:
        """Until `meanwhile` is done."""
        kinds = (self._post, self._read, self._ask)
        tasks = [asyncio.create_task(self._keep(kind, room)) for room in self._rooms for kind in kinds]
        try:
            await meanwhile
        finally:
            self._stopping = True
            await asyncio.gather(*tasks)

    async def replace(self, old: RedisStore, new: RedisStore) -> None:
        """Call `new` from now on. Returns when the calls of `old` have ended."""
        self._stores[self._stores.index(old)] = new

        async def is_free() -> bool:
            return not self._using[id(old)]

        await wait_until(is_free, "the calls of a store to end", timeout_s=60)

    async def check(self) -> None:
        """Everything that was answered is there, and every count is exact."""
        store, app, found = self._stores[0], self._app, self.found
        for each in self._stores:
            await each.outbox.idle()
        for room in self._rooms:
            await self._check_messages(room)
            posts = len(self._seqs[room])
            ann, bo = users_of(room)
            if posts:
                await store.reading.mark_read(app=app, room=room, user=bo, message=f"m{posts - 1}")
            for name, expected in ((ann, posts), (bo, 0)):
                badge = await store.badges.badge(app=app, user=name)
                unread = await unread_of(store, app, name, room)
                if not badge == unread == expected:
                    found.wrong.append(f"{name}: badge {badge}, unread {unread}, expected {expected}")
        found.wrong += [str(drift) for drift in await store.audit.audit_all(app=app)]

    async def _check_messages(self, room: str) -> None:
        """Those that the room must remember; a busy one has forgotten older ones."""
        store, app, found = self._stores[0], self._app, self.found
        for batch in in_batches(list(enumerate(self._seqs[room]))[-_REMEMBERED:], 100):
            asked = [store.messages.message(app=app, room=room, message=f"m{number}") for number, _ in batch]
            told = await asyncio.gather(*asked, return_exceptions=True)
            for (number, answered), message in zip(batch, told, strict=True):
                if isinstance(message, BaseException):
                    found.lost.append(f"{room} m{number}: {message!r}")
                elif message.seq != answered:
                    found.wrong.append(f"{room} m{number} has seq {message.seq}, and was answered {answered}")

    async def _keep(self, kind: Callable[[RedisStore, str], Awaitable[None]], room: str) -> None:
        turn = 0
        while not self._stopping:
            store = self._stores[turn % len(self._stores)]
            self._using[id(store)] += 1
            try:
                await kind(store, room)
            except Exception as error:  # whatever it is, it is found
                self.found.errors.append(f"{kind.__name__} {room}: {error!r}")
            self._using[id(store)] -= 1
            turn += 1
            await asyncio.sleep(self._pause_s)

    async def _until_answered(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                return await call()
            except Unavailable:
                self.found.count("refused calls")
            except Fault:
                self.found.count("calls of unknown outcome")
            await asyncio.sleep(_AGAIN_S)

    async def _post(self, store: RedisStore, room: str) -> None:
        number = self._begun[room]
        self._begun[room] += 1
        post = await self._until_answered(lambda: self._confirm(posted(store, self._app, room, f"m{number}")))
        self._seqs[room].append(post.seq)
        self.found.count("posts")

    async def _read(self, store: RedisStore, room: str) -> None:
        number = len(self._seqs[room]) - 1
        if number < 0:
            return
        _, user = users_of(room)
        read = await self._until_answered(
            lambda: self._confirm(store.reading.mark_read(app=self._app, room=room, user=user, message=f"m{number}"))
        )
        self.found.count("reads")
        if read.seq < self._seqs[room][number]:
            self.found.back.append(f"{user} at {read.seq} after m{number}")
        if not 0 <= read.unread <= self._begun[room] - number - 1:
            self.found.wrong.append(f"{user} has {read.unread} unread after m{number} of {self._begun[room]}")

    async def _ask(self, store: RedisStore, room: str) -> None:
        least = len(self._seqs[room])
        user, _ = users_of(room)
        badge = await self._until_answered(lambda: store.badges.badge(app=self._app, user=user))
        if not least <= badge <= self._begun[room]:
            self.found.wrong.append(f"{user}: badge {badge} of {least} to {self._begun[room]}")


def users_of(room: str) -> tuple[str, str]:
    """Who is in a room: who only gets messages, and who reads them."""
    return f"ann {room}", f"bo {room}"
