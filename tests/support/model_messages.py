"""Messages in the model."""

from collections.abc import Callable

from readstate.domain.client_rules import Made
from readstate.domain.messages import Change, Deleted, MessageRef, Posted
from readstate.domain.notices import (
    CountsChanged,
    CursorMoved,
    MessageDeleted,
    MessagePosted,
    Notice,
)
from readstate.errors import MessageUnknown, NotMember
from tests.support.model_room import Message, ref
from tests.support.model_world import World

LATE_MS = 60_000  # a message that was sent longer ago is reported late


class ModelMessages:
    """Implements domain.messages.Messages, as far as tests ask."""

    def __init__(self, world: World) -> None:
        self._world = world

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
        there, sender, sent_ms = self._world.room(app, room, made), sender or "", sent_ms or 0
        move_cursor = countable if move_cursor is None else move_cursor
        as_last = countable if as_last is None else as_last
        if sender_must_be_member and sender not in there.members:
            raise NotMember(sender)
        for known in there.messages:
            if known.id == message:
                return Posted(
                    known.id, known.seq, known.ordinal, known.at_ms, created=False, sender=known.sender or None
                )
        countable = countable and not (by_time and there.was_read_before(sender, sent_ms))
        there.begin_term(self._world.term_of(app, room))
        there.head, there.ordinal = there.head + 1, there.ordinal + countable
        now_ms = self._world.now_ms()
        new = Message(
            message or self._world.new_id(),
            there.head,
            there.ordinal,
            sender,
            countable,
            sent_ms or now_ms,
            hidden=not as_last,
        )
        there.messages.append(new)
        self._world.changed[app, room] = now_ms
        notices: list[Notice] = [MessagePosted(room, new.id, sender, new.at_ms, new.seq, Change.NEW.value, body)]
        if move_cursor and sender in there.members:
            there.members[sender].read_up_to(new, now_ms, late=0 < sent_ms < now_ms - LATE_MS)
            notices.append(CursorMoved(room, sender, new.id, new.seq))
        self._world.publish(app, *(notices if notify else [CountsChanged(room)]))
        return Posted(new.id, new.seq, new.ordinal, new.at_ms, created=True, sender=sender or None)

    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted:
        known = self._world.room(app, room).find(message)
        if known.deleted or known.recalled:
            raise MessageUnknown(message)
        self._world.publish(
            app, MessagePosted(room, known.id, known.sender, known.at_ms, known.seq, Change.EDIT.value, body)
        )
        return Posted(known.id, known.seq, known.ordinal, known.at_ms, created=False, sender=known.sender or None)

    async def delete_message(self, *, app: str, room: str, message: str) -> Deleted:
        known = self._world.room(app, room).find(message)
        if known.deleted:
            return Deleted(0)
        known.deleted = True
        self._world.publish(app, MessageDeleted(room, message))
        return Deleted(1)

    async def recall_message(self, *, app: str, room: str, message: str, body: str) -> Deleted:
        known = self._world.room(app, room).find(message)
        if known.deleted or known.recalled:
            return Deleted(0)
        known.recalled = True
        self._world.publish(
            app, MessagePosted(room, known.id, known.sender, known.at_ms, known.seq, Change.RECALL.value, body)
        )
        return Deleted(1)

    async def delete_messages(
        self, *, app: str, room: str, before: str | None = None, before_ms: int | None = None
    ) -> Deleted:
        there = self._world.room(app, room)
        first = there.first_to_stay(before or "", before_ms or 0)
        gone = [message for message in there.messages if not first or message.seq < first.seq]
        present = [message for message in gone if not message.deleted]
        if gone and gone[-1].seq > there.floor_seq:
            there.floor, there.floor_seq = max(there.floor, gone[-1].ordinal), gone[-1].seq
            self._world.changed[app, room] = self._world.now_ms()
        for message in present:
            message.deleted = True
        if present:
            self._world.publish(
                app, MessageDeleted(room, "_before", first.id) if first else MessageDeleted(room, "_all")
            )
        return Deleted(len(present), first.id if first else None)

    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef:
        known = self._world.room(app, room).find(message)
        if known.seq <= after:
            raise MessageUnknown(message)
        return ref(known)

    async def find_message(
        self, *, app: str, user: str, message: str, searching: Callable[[int], None] = lambda _: None
    ) -> str:
        """The first of `rooms_with`; any of them is right."""
        for room in self.rooms_with(app, user, message):
            return room
        raise MessageUnknown(message)

    def rooms_with(self, app: str, user: str, message: str) -> list[str]:
        """The user's rooms that know the message."""
        mine = {room: there for room, there in self._world.rooms(app).items() if user in there.members}
        return [room for room, there in mine.items() if any(known.id == message for known in there.messages)]
