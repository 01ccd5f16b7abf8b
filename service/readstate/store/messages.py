"""Messages: what is remembered of them, and where."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from readstate.batches import in_batches
from readstate.domain.limits import MESSAGES_COUNTED
from readstate.domain.types import Deleted, Made, MessageRef, Posted
from readstate.errors import Fault, MessageUnknown, RoomUnknown
from readstate.store.decoding import text
from readstate.store.executor import Executor, Part
from readstate.store.keys import Keys
from readstate.store.operations import Operations
from readstate.store.outbox import Outbox
from readstate.store.rooms import RedisRooms

MESSAGES_COUNTED_AT_ONCE = 500  # messages in one script
MESSAGE_FOUND_S = 86_400  # for so long the room of a message is found without searching


class RedisMessages(Operations):
    """Implements domain.messages.Messages."""

    def __init__(
        self, executor: Executor, outbox: Outbox, rooms: RedisRooms, *, fanout_limit: int, history: int, journal: str
    ) -> None:
        super().__init__(executor, outbox)
        self._rooms = rooms
        self._limit = fanout_limit
        self._history = history
        self._journal = journal

    async def post(
        self,
        *,
        app: str,
        room: str,
        sender: str | None,
        message: str | None = None,
        countable: bool = True,
        body: str = "{}",
        sender_must_be_member: bool = False,
        sent_ms: int | None = None,
        by_time: bool = False,
        move_cursor: bool | None = None,
        as_last: bool | None = None,
        notify: bool = True,
        made: Made = Made.ANYHOW,
    ) -> Posted:
        kept: list[Part] = [self._limit, self._history, self._journal]
        args: list[Part] = [
            app,
            sender or "",
            message or "",
            int(countable),
            int(sender_must_be_member),
            body,
            *kept,
            sent_ms or 0,
            made.value,
        ]
        args += [
            int(by_time),
            int(countable if move_cursor is None else move_cursor),
            int(countable if as_last is None else as_last),
            int(notify),
        ]
        posted = _posted(await self._change("post", app, room, args, repeatable=bool(message)))
        if posted.created:
            key = Keys.message(app, posted.message)
            # The post is done, whatever becomes of this: without it find_message has to look further.
            with contextlib.suppress(Fault):
                await self._executor.command("SET", key, room, "EX", MESSAGE_FOUND_S, key=key)
        return posted

    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted:
        return _posted(
            await self._executor.call(self._scripts["edit_message"], [Keys.room(app, room)], [app, message, body])
        )

    async def delete_message(self, *, app: str, room: str, message: str) -> Deleted:
        return Deleted(count=await self._change("delete_message", app, room, [app, message]))

    async def recall_message(self, *, app: str, room: str, message: str, body: str) -> Deleted:
        return Deleted(count=await self._change("recall_message", app, room, [app, message, body]))

    async def delete_messages(
        self, *, app: str, room: str, before: str | None = None, before_ms: int | None = None
    ) -> Deleted:
        deleted, more = 0, True
        while more:  # so many are looked at in one script
            count, more, first = await self._change("delete_messages", app, room, [app, before or "", before_ms or 0])
            deleted += count
        return Deleted(deleted, text(first) or None)

    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef:
        seq, sender, at_ms = await self._executor.call(
            self._scripts["message"], [Keys.room(app, room)], [message, after]
        )
        return MessageRef(message, seq, text(sender) or None, at_ms)

    async def count_messages(self, *, app: str, room: str, since_ms: int = 0, after: int = 0) -> int:
        count = below = 0
        for _ in range(MESSAGES_COUNTED // MESSAGES_COUNTED_AT_ONCE):
            args = [since_ms, after, below, MESSAGES_COUNTED_AT_ONCE]
            more, below = await self._executor.call(self._scripts["count_messages"], [Keys.room(app, room)], args)
            count += more
            if not below:
                break
        return count

    async def find_message(
        self, *, app: str, user: str, message: str, searching: Callable[[int], None] = lambda _: None
    ) -> str:
        key = Keys.message(app, message)
        noted = text(await self._executor.command("GET", key, key=key) or b"")
        # Also asked when nothing is noted, so that a message of strangers costs as much as one that
        # is not there.
        if await self._rooms.among(app, user, [noted]) and await self._with_message(app, [noted], message):
            return noted
        own = await self._rooms.rooms_of(app=app, user=user)
        searching(len(own))
        for batch in in_batches(own):
            if there := await self._with_message(app, batch, message):
                return there[0]
        raise MessageUnknown(message)

    async def _with_message(self, app: str, rooms: Sequence[str], message: str) -> list[str]:
        """Those of the rooms that hold this message."""
        replies = await self._ask_each("message", app, rooms, [message, 0], unknown=(RoomUnknown, MessageUnknown))
        return [room for room, reply in zip(rooms, replies, strict=True) if reply != []]


def _posted(reply: Sequence[Any]) -> Posted:
    message, seq, ordinal, at_ms, created, moved, sender = reply
    return Posted(text(message), seq, ordinal, at_ms, created == 1, moved, text(sender) or None)
