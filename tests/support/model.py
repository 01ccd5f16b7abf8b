"""The read state by brute force: every number is counted from the messages each time it is asked for.

It implements `domain.read_state.ReadState`, so that what runs on the real store runs on it. It is slow and obviously right, which is
its whole purpose: the scripts are compared with it. The one thing it does not know is how state is laid out.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from readstate.domain.audit import Drift
from readstate.domain.badges import TagBadges
from readstate.domain.client_rules import Made
from readstate.domain.messages import Change, Deleted, MessageRef, Posted
from readstate.domain.notices import (
    CursorMoved,
    Joined,
    Left,
    MessageDeleted,
    MessagePosted,
    Notice,
    RoomChanged,
    RoomDeleted,
)
from readstate.domain.reading import MarkedRead
from readstate.domain.receipts import Filter, ReceiptCount, ReceiptsPage
from readstate.domain.rooms import MemberState, Room, Status, Subscriptions
from readstate.domain.throttle import Hit
from readstate.errors import Invalid, LimitReached, MessageUnknown, NotMember, ReadStateError, RoomUnknown
from tests.support.model_room import Message, ModelRoom, Stay, ref

LATE_MS = 60_000  # what was sent longer ago is told late
MAX_ACKNOWLEDGING = 200  # members of a room in which single messages can be acknowledged
MAX_INVITATIONS = 1000
GONE_KEPT_MS = 3600 * 1000


class ModelStore:
    """`domain.read_state.ReadState` in memory: all nouns in one.

    `notices` holds (app, notice) of everything that the operations should have published, in order.
    """

    def __init__(self, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.worlds: dict[str, dict[str, ModelRoom]] = {}
        self.buried: dict[tuple[str, str], ModelRoom] = {}
        self.notices: list[tuple[str, Notice]] = []
        self._newest: dict[tuple[str, str], int] = {}
        self._now_ms = now_ms
        self._ids = 0
        self._changed: dict[tuple[str, str], int] = {}  # (app, room) -> when
        self._removed: dict[tuple[str, str, str], int] = {}  # (app, room, user) -> when they left it, or it was deleted
        self._taken: dict[tuple[str, str, int], int] = {}

    @property
    def _itself(self) -> "ModelStore":
        """All nouns in one."""
        return self

    rooms = messages = reading = receipts = badges = audit = throttle = latest = _itself

    # Rooms

    async def create_room(
        self,
        *,
        app: str,
        room: str,
        tags: Sequence[str] = (),
        profile: Mapping[str, bytes] | None = None,
        members: Sequence[str] = (),
        by_client: bool = False,
    ) -> bool:
        rooms = self._rooms(app)
        created = room not in rooms
        if not created and by_client:
            return False
        if not created and rooms[room].by_client:
            self._take_over(app, room, tags, profile or {}, members)
            return False
        if created:
            before = self.buried.pop((app, room), None)
            head, ordinal = (before.head, before.ordinal) if before else (0, 0)
            rooms[room] = ModelRoom(
                self._now_ms(),
                head,
                ordinal,
                tuple(sorted(set(tags))),
                dict(profile or {}),
                floor=ordinal,
                by_client=by_client,
            )
        self._announce_join(app, room, self._join(rooms[room], members))
        return created

    def _take_over(
        self, app: str, room: str, tags: Sequence[str], profile: Mapping[str, bytes], members: Sequence[str]
    ) -> None:
        """The room becomes what the backend says; messages stay, and cursors of those who do."""
        there = self._rooms(app)[room]
        left = sorted(set(there.members) - set(members))
        for member in left:
            there.leave(member)
            self._removed[app, room, member] = self._now_ms()
        there.invited.clear()
        joined = self._join(there, members)
        there.tags, there.profile = tuple(sorted(set(tags))), dict(profile)
        there.status, there.by_client = Status.ACTIVE, False
        changes: list[Notice] = [*([Left(room, left)] if left else []), *([Joined(room, joined)] if joined else [])]
        self._publish(app, *changes, RoomChanged(room))

    async def add_members(
        self, *, app: str, room: str, members: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]:
        joined = self._join(self._room(app, room, made), members)
        self._announce_join(app, room, joined)
        return joined

    async def invite(self, *, app: str, room: str, users: Sequence[str], made: Made = Made.ANYHOW) -> list[str]:
        there = self._room(app, room, made)
        invited = [user for user in dict.fromkeys(users) if user not in there.members and user not in there.invited]
        if len(there.invited) + len(invited) > MAX_INVITATIONS and invited:
            raise LimitReached
        there.invited.update(invited)
        return invited

    async def remove_members(
        self, *, app: str, room: str, members: Sequence[str], made: Made = Made.ANYHOW
    ) -> list[str]:
        there = self._room(app, room, made)
        there.invited.difference_update(members)
        left = [member for member in dict.fromkeys(members) if there.leave(member)]
        self._removed.update({(app, room, member): self._now_ms() for member in left})
        if left:
            self._publish(app, Left(room, left), RoomChanged(room))
        return left

    async def set_tags(
        self, *, app: str, room: str, tags: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool:
        there, wanted = self._room(app, room, made), tuple(sorted(set(tags)))
        changed = there.tags != wanted
        there.tags = wanted
        self._announce_change(app, room, changed)
        return changed

    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool:
        there = self._room(app, room, made)
        changed = there.status is not status
        there.status = status
        self._announce_change(app, room, changed)
        return changed

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW) -> None:
        there = self._room(app, room, made)
        changed = any(there.profile.get(name) != value for name, value in profile.items())
        there.profile.update(profile)
        self._announce_change(app, room, changed)

    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool:
        try:
            there = self._room(app, room, made)
        except RoomUnknown:
            return False
        del self._rooms(app)[room]
        self.buried[app, room] = there
        self._removed.update({(app, room, member): self._now_ms() for member in there.members})
        self._publish(app, RoomDeleted(room))
        return True

    # Messages

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
        there, sender, sent_ms = self._room(app, room, made), sender or "", sent_ms or 0
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
        there.head, there.ordinal = there.head + 1, there.ordinal + countable
        now_ms = self._now_ms()
        new = Message(
            message or self._new_id(),
            there.head,
            there.ordinal,
            sender,
            countable,
            sent_ms or now_ms,
            hidden=not as_last,
        )
        there.messages.append(new)
        self._changed[app, room] = now_ms
        notices: list[Notice] = [MessagePosted(room, new.id, sender, new.at_ms, new.seq, Change.NEW.value, body)]
        if move_cursor and sender in there.members:
            there.members[sender].read_up_to(new, now_ms, late=0 < sent_ms < now_ms - LATE_MS)
            notices.append(CursorMoved(room, sender, new.id, new.seq))
        if notify:
            self._publish(app, *notices)
        return Posted(new.id, new.seq, new.ordinal, new.at_ms, created=True, sender=sender or None)

    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted:
        known = self._room(app, room).find(message)
        if known.deleted or known.recalled:
            raise MessageUnknown(message)
        self._publish(app, MessagePosted(room, known.id, known.sender, known.at_ms, known.seq, Change.EDIT.value, body))
        return Posted(known.id, known.seq, known.ordinal, known.at_ms, created=False, sender=known.sender or None)

    async def delete_message(self, *, app: str, room: str, message: str) -> Deleted:
        known = self._room(app, room).find(message)
        if known.deleted:
            return Deleted(0)
        known.deleted = True
        self._publish(app, MessageDeleted(room, message))
        return Deleted(1)

    async def recall_message(self, *, app: str, room: str, message: str, body: str) -> Deleted:
        known = self._room(app, room).find(message)
        if known.deleted or known.recalled:
            return Deleted(0)
        known.recalled = True
        self._publish(
            app, MessagePosted(room, known.id, known.sender, known.at_ms, known.seq, Change.RECALL.value, body)
        )
        return Deleted(1)

    async def delete_messages(
        self, *, app: str, room: str, before: str | None = None, before_ms: int | None = None
    ) -> Deleted:
        there = self._room(app, room)
        first = there.first_to_stay(before or "", before_ms or 0)
        gone = [message for message in there.messages if not first or message.seq < first.seq]
        present = [message for message in gone if not message.deleted]
        if gone and gone[-1].seq > there.floor_seq:
            there.floor, there.floor_seq = max(there.floor, gone[-1].ordinal), gone[-1].seq
            self._changed[app, room] = self._now_ms()
        for message in present:
            message.deleted = True
        if present:
            self._publish(app, MessageDeleted(room, "_before", first.id) if first else MessageDeleted(room, "_all"))
        return Deleted(len(present), first.id if first else None)

    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef:
        known = self._room(app, room).find(message)
        if known.seq <= after:
            raise MessageUnknown(message)
        return ref(known)

    # Reading

    async def mark_read(self, *, app: str, room: str, user: str, message: str, **how: object) -> MarkedRead:
        there, _ = self._stay(app, room, user)
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
        return done, await self.badge(app=app, user=user)

    async def mark_read_until(
        self, *, app: str, room: str, user: str, until_ms: int | None = None, **how: object
    ) -> MarkedRead | None:
        there, _ = self._stay(app, room, user)
        if there.is_pair:
            there.until[user] = max(until_ms or self._now_ms(), there.until.get(user, 0))
        found = [message for message in there.messages if not until_ms or message.at_ms <= until_ms]
        if not found:
            return None
        return await self._read(app, room, user, found[-1])

    async def mark_unread(self, *, app: str, room: str, user: str, message: str | None = None) -> None:
        there, stay = self._stay(app, room, user)
        known = there.find(message) if message else there.newest()
        if not known or known.deleted:
            raise MessageUnknown(str(message))
        stay.marked_ms = known.at_ms
        self._changed[app, room] = self._now_ms()

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        there, _ = self._stay(app, room, user)
        there.set_unread(user, count)
        self._changed[app, room] = self._now_ms()
        return there.unread(user)

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        there, stay = self._stay(app, room, user)
        if len(there.members) > MAX_ACKNOWLEDGING:
            raise Invalid("room", "too large")
        news = [known for known in there.messages if known.id in messages and known.whole and known.sender != user]
        news = [known for known in news if stay.concerned(known) and stay.read_ms(known) is None]
        stay.acknowledged.update({known.seq: self._now_ms() for known in news})
        return sorted((known.id for known in news), key=list(messages).index)

    # ReceiptsPage

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
        """A page is named by how many people the pages before it held."""
        there = self._room(app, room)
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
        there = self._room(app, room)
        whole = {known.id: known for known in there.messages if known.whole and known.seq > after}
        return [there.receipt_count(whole[message]) if message in whole else None for message in messages]

    async def find_message(
        self, *, app: str, user: str, message: str, searching: Callable[[int], None] = lambda _: None
    ) -> str:
        """Any of those that `rooms_with` names would do."""
        for room in self.rooms_with(app, user, message):
            return room
        raise MessageUnknown(message)

    def rooms_with(self, app: str, user: str, message: str) -> list[str]:
        """The user's rooms that know the message."""
        mine = {room: there for room, there in self._rooms(app).items() if user in there.members}
        return [room for room, there in mine.items() if any(known.id == message for known in there.messages)]

    async def subscriptions(self, *, app: str, user: str, since_ms: int = 0) -> Subscriptions:
        """As coarse as may be: everything that happened in a room changed it for all who are in it."""
        changed = {room: at_ms for (where, room), at_ms in self._changed.items() if where == app and at_ms > since_ms}
        mine = set(await self.rooms_of(app=app, user=user))
        removed = [(room, at_ms) for (where, room, who), at_ms in self._removed.items() if (where, who) == (app, user)]
        return Subscriptions(
            tuple((room, at_ms) for room, at_ms in changed.items() if room in mine),
            tuple((room, at_ms) for room, at_ms in removed if room not in mine and at_ms > since_ms),
        )

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> bool:
        self._newest[app, what] = max(self._newest.get((app, what), 0), at_ms)
        return self._newest[app, what] <= at_ms

    async def newest(self, *, app: str, what: str) -> int | None:
        return self._newest.get((app, what))

    async def hit_rate_limit(self, *, app: str, what: str, limit: int, window_ms: int) -> Hit:
        """Windows begin at whole multiples of their length."""
        window = self._now_ms() // window_ms
        taken = self._taken[app, what, window] = self._taken.get((app, what, window), 0) + 1
        return Hit(taken <= limit, max(limit - taken, 0), (window + 1) * window_ms)

    # Badges

    async def badge(self, *, app: str, user: str, tags: Sequence[str] = (), **how: object) -> int:
        return sum(there.unread(user) for there in self._counted(app, user) if set(tags) <= set(there.tags))

    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]:
        return {user: await self.badge(app=app, user=user, tags=()) for user in users}

    async def badges_by_tags(self, *, app: str, user: str, tags: Sequence[str] = (), **how: object) -> TagBadges:
        counted = self._counted(app, user)
        asked = set(tags) or {tag for there in counted for tag in there.tags}
        counts = {tag: sum(there.unread(user) for there in counted if tag in there.tags) for tag in sorted(asked)}
        return TagBadges(sum(there.unread(user) for there in counted if asked & set(there.tags)), counts)

    async def room(self, *, app: str, room: str, user: str | None = None) -> Room:
        there = self._room(app, room)
        return Room(
            room,
            there.status,
            there.tags,
            dict(there.profile),
            there.created_ms,
            there.head,
            len(there.members),
            ref(newest) if (newest := there.newest()) else None,
            there.state(user or "") if user in there.members else None,
            user in there.invited,
            there.by_client,
        )

    async def members(self, *, app: str, room: str, limit: int = 1000) -> list[MemberState]:
        there = self._room(app, room)
        return [there.state(member) for member in list(there.members)[:limit]]

    async def rooms_of(self, *, app: str, user: str) -> list[str]:
        return [room for room, there in self._rooms(app).items() if user in there.members]

    # Truth: what is counted afresh cannot drift.

    async def audit_user(self, *, app: str, user: str, repair: bool = False) -> list[Drift]:
        return []

    async def audit_room(self, *, app: str, room: str, repair: bool = False) -> list[Drift]:
        return []

    async def audit_all(self, *, repair: bool = False) -> list[Drift]:
        return []

    # What the operations share

    def _rooms(self, app: str) -> dict[str, ModelRoom]:
        return self.worlds.setdefault(app, {})

    def _room(self, app: str, room: str, made: Made = Made.ANYHOW) -> ModelRoom:
        there = self._rooms(app).get(room)
        if there is None or made is (Made.NOT_BY_CLIENT if there.by_client else Made.BY_CLIENT):
            raise RoomUnknown(room)
        return there

    def _stay(self, app: str, room: str, user: str) -> tuple[ModelRoom, Stay]:
        there = self._room(app, room)
        if user not in there.members:
            raise NotMember(user)
        return there, there.members[user]

    async def _read(self, app: str, room: str, user: str, wanted: Message) -> MarkedRead:
        there, stay = self._stay(app, room, user)
        # Joining is not reading: a first read below the baseline is a read all the same, though it lowers no count.
        moved = wanted.seq > stay.read or wanted.ordinal > stay.ordinal or stay.marked_ms > 0
        stay.read_up_to(wanted, self._now_ms())
        kept = there.at(stay.read)
        if moved:
            self._publish(app, CursorMoved(room, user, kept.id, kept.seq))
        return MarkedRead(kept.id, kept.seq, moved, there.unread(user), await self.badge(app=app, user=user, tags=()))

    def _counted(self, app: str, user: str) -> list[ModelRoom]:
        return [there for there in self._rooms(app).values() if user in there.members and there.status is Status.ACTIVE]

    def _join(self, there: ModelRoom, members: Sequence[str]) -> list[str]:
        now_ms = self._now_ms()
        joined = [member for member in dict.fromkeys(members) if member not in there.members]
        there.invited.difference_update(members)
        there.members.update({member: Stay(there.head, there.ordinal, now_ms) for member in joined})
        return joined

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:024x}"

    def _publish(self, app: str, *notices: Notice) -> None:
        self.notices.extend((app, notice) for notice in notices)
        self._changed.update({(app, getattr(notice, "room", "")): self._now_ms() for notice in notices})

    def _announce_join(self, app: str, room: str, joined: list[str]) -> None:
        """A room that is created empty is announced to nobody: nobody is in it."""
        if joined:
            self._publish(app, Joined(room, joined), RoomChanged(room))

    def _announce_change(self, app: str, room: str, changed: bool) -> None:
        if changed:
            self._publish(app, RoomChanged(room))
