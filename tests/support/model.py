"""The read state by brute force: every number is counted from the messages each time it is asked for.

It implements `domain.ports.Store`, so whatever runs on the real store runs on it. It is slow and obviously right, which is
its whole purpose: the scripts are compared with it. The one thing it does not know is how state is laid out.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.notices import CursorMoved, Joined, Left, MessageDeleted, MessagePosted, Notice, RoomChanged, RoomDeleted
from service.domain.types import Change, Deleted, Drift, MemberState, MessageRef, Posted, Reading, Room, Status, TagBadges
from service.errors import MessageUnknown, NotMember, ReadStateError, RoomUnknown


@dataclass
class Message:
    """A message of a room; a deleted one stays as a tombstone, so that its id can still be read up to."""

    id: str
    seq: int
    ordinal: int
    sender: str
    countable: bool
    at_ms: int
    deleted: bool = False
    recalled: bool = False  # shown as recalled, and not counted


@dataclass
class Membership:
    """Where a member stands: `baseline` is the head when they joined, `read` the seq of their latest real read, 0 for none."""

    baseline: int
    read: int = 0

    @property
    def cursor(self) -> int:
        return max(self.baseline, self.read)


@dataclass
class ModelRoom:
    created_ms: int
    head: int = 0  # goes on counting when a deleted room is created again
    ordinal: int = 0
    tags: tuple[str, ...] = ()
    profile: dict[str, bytes] = field(default_factory=dict)
    status: Status = Status.ACTIVE
    messages: list[Message] = field(default_factory=list)
    members: dict[str, Membership] = field(default_factory=dict)

    def find(self, message: str) -> Message:
        for known in self.messages:
            if known.id == message:
                return known
        raise MessageUnknown(message)

    def at(self, seq: int) -> Message:
        return next(message for message in self.messages if message.seq == seq)

    def unread(self, member: str) -> int:
        """Countable messages after the member's cursor that were neither deleted nor recalled."""
        after = [message for message in self.messages if message.seq > self.members[member].cursor]
        return sum(1 for message in after if message.countable and not message.deleted and not message.recalled)

    def state(self, member: str) -> MemberState:
        there = self.members[member]
        return MemberState(member, there.cursor, self.unread(member), self.at(there.read).id if there.read else None)

    def last(self) -> MessageRef | None:
        """The newest message that was not deleted."""
        for message in reversed(self.messages):
            if not message.deleted:
                return MessageRef(message.id, message.seq, message.sender, message.at_ms)
        return None


class ModelStore:
    """`domain.ports.Store` in memory.

    `notices` holds (app, notice) of everything that the operations should have published, in order.
    """

    def __init__(self, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self.worlds: dict[str, dict[str, ModelRoom]] = {}
        self.buried: dict[tuple[str, str], ModelRoom] = {}
        self.notices: list[tuple[str, Notice]] = []
        self._now_ms = now_ms
        self._ids = 0

    # Rooms

    async def create_room(self, *, app: str, room: str, tags: Sequence[str], profile: Mapping[str, bytes], members: Sequence[str]) -> bool:
        rooms = self._rooms(app)
        created = room not in rooms
        if created:
            before = self.buried.pop((app, room), None)
            head, ordinal = (before.head, before.ordinal) if before else (0, 0)
            rooms[room] = ModelRoom(self._now_ms(), head, ordinal, tuple(sorted(set(tags))), dict(profile))
        self._announce_join(app, room, self._join(rooms[room], members))
        return created

    async def add_members(self, *, app: str, room: str, members: Sequence[str]) -> list[str]:
        joined = self._join(self._room(app, room), members)
        self._announce_join(app, room, joined)
        return joined

    async def remove_members(self, *, app: str, room: str, members: Sequence[str]) -> list[str]:
        there = self._room(app, room).members
        left = [member for member in dict.fromkeys(members) if there.pop(member, None)]
        if left:
            self._publish(app, Left(room, left), RoomChanged(room))
        return left

    async def set_tags(self, *, app: str, room: str, tags: Sequence[str]) -> bool:
        there, wanted = self._room(app, room), tuple(sorted(set(tags)))
        changed = there.tags != wanted
        there.tags = wanted
        self._announce_change(app, room, changed)
        return changed

    async def set_status(self, *, app: str, room: str, status: Status) -> bool:
        there = self._room(app, room)
        changed = there.status is not status
        there.status = status
        self._announce_change(app, room, changed)
        return changed

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes]) -> None:
        there = self._room(app, room)
        changed = any(there.profile.get(name) != value for name, value in profile.items())
        there.profile.update(profile)
        self._announce_change(app, room, changed)

    async def delete_room(self, *, app: str, room: str) -> bool:
        there = self._rooms(app).pop(room, None)
        if there is None:
            return False
        self.buried[app, room] = there
        self._publish(app, RoomDeleted(room))
        return True

    # Messages

    async def post(
        self, *, app: str, room: str, sender: str, message: str, countable: bool, body: str, sender_must_be_member: bool
    ) -> Posted:
        there = self._room(app, room)
        if sender_must_be_member and sender not in there.members:
            raise NotMember(sender)
        for known in there.messages:
            if known.id == message:
                return Posted(known.id, known.seq, known.ordinal, known.at_ms, created=False)
        there.head, there.ordinal = there.head + 1, there.ordinal + countable
        new = Message(message or self._new_id(), there.head, there.ordinal, sender, countable, self._now_ms())
        there.messages.append(new)
        self._publish(app, MessagePosted(room, new.id, sender, new.at_ms, new.seq, Change.NEW.value, body))
        if sender in there.members:
            there.members[sender].read = new.seq
            self._publish(app, CursorMoved(room, sender, new.id, new.seq))
        return Posted(new.id, new.seq, new.ordinal, new.at_ms, created=True)

    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted:
        known = self._room(app, room).find(message)
        if known.deleted or known.recalled:
            raise MessageUnknown(message)
        self._publish(app, MessagePosted(room, known.id, known.sender, known.at_ms, known.seq, Change.EDIT.value, body))
        return Posted(known.id, known.seq, known.ordinal, known.at_ms, created=False)

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
        self._publish(app, MessagePosted(room, known.id, known.sender, known.at_ms, known.seq, Change.RECALL.value, body))
        return Deleted(1)

    async def delete_all_messages(self, *, app: str, room: str) -> Deleted:
        present = [message for message in self._room(app, room).messages if not message.deleted]
        for message in present:
            message.deleted = True
        if present:
            self._publish(app, MessageDeleted(room, "_all"))
        return Deleted(len(present))

    async def message_sender(self, *, app: str, room: str, message: str) -> str:
        return self._room(app, room).find(message).sender

    # Reading

    async def mark_read(self, *, app: str, room: str, user: str, message: str) -> Reading:
        there = self._room(app, room)
        if user not in there.members:
            raise NotMember(user)
        member, wanted = there.members[user], there.find(message)
        # Joining is not reading: a first read below the baseline is a read all the same, though it lowers no count.
        moved = wanted.seq > member.read
        if moved:
            member.read = wanted.seq
            self._publish(app, CursorMoved(room, user, wanted.id, wanted.seq))
        kept = there.at(member.read)
        return Reading(kept.id, kept.seq, moved, there.unread(user), await self.badge(app=app, user=user, tags=()))

    async def mark_read_many(self, *, app: str, user: str, items: Sequence[tuple[str, str]]) -> list[Reading | ReadStateError]:
        done: list[Reading | ReadStateError] = []
        for room, message in items:
            try:
                done.append(await self.mark_read(app=app, room=room, user=user, message=message))
            except ReadStateError as error:
                done.append(error)
        return done

    async def badge(self, *, app: str, user: str, tags: Sequence[str]) -> int:
        return sum(there.unread(user) for there in self._counted(app, user) if set(tags) <= set(there.tags))

    async def badges_by_tags(self, *, app: str, user: str, tags: Sequence[str]) -> TagBadges:
        counted = self._counted(app, user)
        asked = set(tags) or {tag for there in counted for tag in there.tags}
        counts = {tag: sum(there.unread(user) for there in counted if tag in there.tags) for tag in sorted(asked)}
        return TagBadges(sum(there.unread(user) for there in counted if asked & set(there.tags)), counts)

    async def room(self, *, app: str, room: str, user: str) -> Room:
        there = self._room(app, room)
        return Room(
            room,
            there.status,
            there.tags,
            dict(there.profile),
            there.created_ms,
            there.head,
            len(there.members),
            there.last(),
            there.state(user) if user in there.members else None,
        )

    async def members(self, *, app: str, room: str, limit: int) -> list[MemberState]:
        there = self._room(app, room)
        return [there.state(member) for member in list(there.members)[:limit]]

    async def rooms(self, *, app: str, user: str) -> list[str]:
        return [room for room, there in self._rooms(app).items() if user in there.members]

    # Truth: what is counted afresh cannot drift.

    async def audit_user(self, *, app: str, user: str, repair: bool) -> list[Drift]:
        return []

    async def audit_room(self, *, app: str, room: str, repair: bool) -> list[Drift]:
        return []

    async def audit_all(self, *, repair: bool) -> list[Drift]:
        return []

    # What the operations share

    def _rooms(self, app: str) -> dict[str, ModelRoom]:
        return self.worlds.setdefault(app, {})

    def _room(self, app: str, room: str) -> ModelRoom:
        try:
            return self._rooms(app)[room]
        except KeyError:
            raise RoomUnknown(room) from None

    def _counted(self, app: str, user: str) -> list[ModelRoom]:
        return [there for there in self._rooms(app).values() if user in there.members and there.status is Status.ACTIVE]

    def _join(self, there: ModelRoom, members: Sequence[str]) -> list[str]:
        joined = [member for member in dict.fromkeys(members) if member not in there.members]
        there.members.update({member: Membership(baseline=there.head) for member in joined})
        return joined

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:024x}"

    def _publish(self, app: str, *notices: Notice) -> None:
        self.notices.extend((app, notice) for notice in notices)

    def _announce_join(self, app: str, room: str, joined: list[str]) -> None:
        """A room that is created empty is announced to nobody: nobody is in it."""
        if joined:
            self._publish(app, Joined(room, joined), RoomChanged(room))

    def _announce_change(self, app: str, room: str, changed: bool) -> None:
        if changed:
            self._publish(app, RoomChanged(room))
