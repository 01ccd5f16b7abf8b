"""Messages: what is remembered of them, and where."""

import contextlib
from collections.abc import Sequence

from readstate.batches import in_batches
from readstate.domain.client_rules import Made
from readstate.domain.limits import MESSAGES_COUNTED, Charge, free
from readstate.domain.messages import Deleted, MessageRef, Posted
from readstate.errors import Fault, MessageUnknown, RoomUnknown
from readstate.store import lua
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.operations import Operations, after_a_change
from readstate.store.outbox import Outbox
from readstate.store.rooms import RedisRooms

MESSAGES_COUNTED_AT_ONCE = 500  # messages in one script
MESSAGE_FOUND_S = 86_400  # for so long the room of a message is found without searching


class RedisMessages(Operations):
    """Implements domain.messages.Messages."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds, *, rooms: RedisRooms) -> None:
        super().__init__(executor, outbox, bounds)
        self._rooms = rooms

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
        call = lua.post(
            app=app,
            sender=sender or "",
            message=message or "",
            countable=int(countable),
            must_be_member=sender_must_be_member,
            body=body,
            settings=self._settings,
            sent_ms=sent_ms or 0,
            made=made,
            by_time=by_time,
            sender_reads=countable if move_cursor is None else move_cursor,
            as_last=countable if as_last is None else as_last,
            notify=notify,
        )
        posted = await self._change(call, app, room, repeatable=bool(message))
        if posted.created:
            key = Keys.message(app, posted.message)
            # The message is posted, whatever becomes of this; without it find_message searches.
            with contextlib.suppress(Fault):
                await self._executor.command("SET", key, room, "EX", MESSAGE_FOUND_S, key=key)
        return posted

    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted:
        call = lua.edit_message(app=app, message=message, body=body)
        return await self._executor.call(call, Keys.room(app, room))

    async def delete_message(self, *, app: str, room: str, message: str) -> Deleted:
        return Deleted(count=await self._change(lua.delete_message(app=app, message=message), app, room))

    async def recall_message(self, *, app: str, room: str, message: str, body: str) -> Deleted:
        call = lua.recall_message(app=app, message=message, body=body)
        return Deleted(count=await self._change(call, app, room))

    async def delete_messages(
        self, *, app: str, room: str, before: str | None = None, before_ms: int | None = None
    ) -> Deleted:
        call = lua.delete_messages(app=app, before=before or "", before_ms=before_ms or 0)
        deleted = 0
        while True:  # so many are looked at in one script
            with after_a_change(deleted > 0):
                reply = await self._change(call, app, room)
            deleted += reply.count
            if not reply.more:
                return Deleted(deleted, reply.first)

    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef:
        return await self._executor.call(lua.message(message=message, after=after), Keys.room(app, room))

    async def count_messages(self, *, app: str, room: str, since_ms: int = 0, after: int = 0) -> int:
        count = below = 0
        for _ in range(MESSAGES_COUNTED // MESSAGES_COUNTED_AT_ONCE):
            call = lua.count_messages(since_ms=since_ms, after=after, below=below, limit=MESSAGES_COUNTED_AT_ONCE)
            reply = await self._executor.call(call, Keys.room(app, room))
            count, below = count + reply.count, reply.below
            if not below:
                break
        return count

    async def find_message(self, *, app: str, user: str, message: str, searching: Charge = free) -> str:
        key = Keys.message(app, message)
        noted = (await self._executor.command("GET", key, key=key) or b"").decode()
        # Asked even when nothing is noted, so that a message of other users costs as much as one
        # that does not exist.
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
        call = lua.message(message=message, after=0)
        replies = await self._ask_each(call, app, rooms, unknown=(RoomUnknown, MessageUnknown))
        return [room for room, reply in zip(rooms, replies, strict=True) if reply is not None]
