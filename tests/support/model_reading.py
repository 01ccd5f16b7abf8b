"""Cursors, receipts and badges in the model: everything is counted anew each time."""

from collections.abc import Sequence

from readstate.domain.badges import TagBadges
from readstate.domain.notices import (
    CountsChanged,
    CursorMoved,
)
from readstate.domain.reading import MarkedRead
from readstate.domain.receipts import Filter, ReceiptCount, ReceiptsPage
from readstate.errors import Invalid, MessageUnknown, ReadStateError
from tests.support.model_room import Message, ref
from tests.support.model_world import World

MAX_ACKNOWLEDGING = 200  # members of a room in which single messages can be acknowledged


class ModelBadges:
    """Implements domain.badges.Badges, as far as tests ask."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def badge(self, *, app: str, user: str, tags: Sequence[str] = (), **how: object) -> int:
        return sum(there.unread(user) for there in self._world.counted(app, user) if set(tags) <= set(there.tags))

    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]:
        return {user: await self.badge(app=app, user=user, tags=()) for user in users}

    async def badges_by_tags(self, *, app: str, user: str, tags: Sequence[str] = (), **how: object) -> TagBadges:
        counted = self._world.counted(app, user)
        asked = set(tags) or {tag for there in counted for tag in there.tags}
        counts = {tag: sum(there.unread(user) for there in counted if tag in there.tags) for tag in sorted(asked)}
        return TagBadges(sum(there.unread(user) for there in counted if asked & set(there.tags)), counts)


class ModelReading:
    """Implements domain.reading.Reading."""

    def __init__(self, world: World, badges: ModelBadges) -> None:
        self._world = world
        self._badges = badges

    async def mark_read(self, *, app: str, room: str, user: str, message: str, **how: object) -> MarkedRead:
        there, _ = self._world.stay(app, room, user)
        return await self._read(app, room, user, there.find(message))

    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]]
    ) -> tuple[list[MarkedRead | ReadStateError], int]:
        done: list[MarkedRead | ReadStateError] = []
        for room, message in items:
            try:
                done.append(await self.mark_read(app=app, room=room, user=user, message=message))
            except ReadStateError as error:
                done.append(error)
        return done, await self._badges.badge(app=app, user=user)

    async def mark_read_until(
        self, *, app: str, room: str, user: str, until_ms: int | None = None, **how: object
    ) -> MarkedRead | None:
        there, _ = self._world.stay(app, room, user)
        if there.is_of_two:
            there.until[user] = max(until_ms or self._world.now_ms(), there.until.get(user, 0))
        found = [message for message in there.messages if not until_ms or message.at_ms <= until_ms]
        if not found:
            return None
        return await self._read(app, room, user, found[-1])

    async def mark_unread(self, *, app: str, room: str, user: str, message: str | None = None) -> None:
        there, stay = self._world.stay(app, room, user)
        known = there.find(message) if message else there.newest()
        if not known or known.deleted:
            raise MessageUnknown(str(message))
        stay.marked_ms = known.at_ms
        self._world.changed[app, room] = self._world.now_ms()

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        there, _ = self._world.stay(app, room, user)
        if there.unread(user) != count:
            self._world.publish(app, CountsChanged(room))
        there.set_unread(user, count)
        self._world.changed[app, room] = self._world.now_ms()
        return there.unread(user)

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        there, stay = self._world.stay(app, room, user)
        if len(there.members) > MAX_ACKNOWLEDGING:
            raise Invalid("room", "too large")
        fresh = [known for known in there.messages if known.id in messages and known.whole and known.sender != user]
        fresh = [known for known in fresh if stay.concerned(known) and stay.read_ms(known) is None]
        stay.acknowledged.update({known.seq: self._world.now_ms() for known in fresh})
        return sorted((known.id for known in fresh), key=list(messages).index)

    async def _read(self, app: str, room: str, user: str, wanted: Message) -> MarkedRead:
        there, stay = self._world.stay(app, room, user)
        # Joining is not reading: a first read below the baseline is a read, though no count falls.
        moved = wanted.seq > stay.read or wanted.ordinal > stay.ordinal or stay.marked_ms > 0
        stay.read_up_to(wanted, self._world.now_ms())
        kept = there.at(stay.read)
        if moved:
            self._world.publish(app, CursorMoved(room, user, kept.id, kept.seq))
        return MarkedRead(
            kept.id, kept.seq, moved, there.unread(user), await self._badges.badge(app=app, user=user, tags=())
        )


class ModelReceipts:
    """Implements domain.receipts.Receipts."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def page(
        self,
        *,
        app: str,
        room: str,
        message: str,
        which: Filter,
        limit: int = 50,
        page: str | None = None,
        after: int = 0,
    ) -> ReceiptsPage:
        """A page token is the number of users on the pages before it."""
        there = self._world.room(app, room)
        known = there.find_whole(message)
        if known.seq <= after:
            raise MessageUnknown(message)
        counted = there.receipt_count(known)
        readers, non_readers = sorted(there.readers(known), key=repr), sorted(there.non_readers(known))
        asked = len(readers if which is Filter.READ else non_readers)
        first = int(page or 0)
        last = min(first + limit, asked)
        return ReceiptsPage(
            ref(known),
            counted.read,
            counted.unread,
            counted.left,
            readers=tuple(readers[first:last]) if which is Filter.READ else (),
            non_readers=tuple(non_readers[first:last]) if which is Filter.UNREAD else (),
            next=str(last) if last < asked else None,
        )

    async def receipt_counts(
        self, *, app: str, room: str, messages: Sequence[str], after: int = 0
    ) -> list[ReceiptCount | None]:
        there = self._world.room(app, room)
        whole = {known.id: known for known in there.messages if known.whole and known.seq > after}
        return [there.receipt_count(whole[message]) if message in whole else None for message in messages]
