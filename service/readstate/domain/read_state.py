"""What can be done with read state, said once for every dialect."""

from collections.abc import Callable, Mapping, Sequence

from readstate.domain.limits import (
    MAX_MEMBERS_SHOWN,
    MAX_RECEIPT_MESSAGES,
    MAX_RECEIPTS_PER_PAGE,
    check_id,
    check_members,
    check_room_tags,
    check_tags,
    new_id,
)
from readstate.domain.ports import Store
from readstate.domain.types import (
    Deleted,
    Drift,
    Filter,
    Made,
    MemberState,
    MessageRef,
    Posted,
    Reading,
    ReceiptCount,
    Receipts,
    Room,
    RoomSummary,
    Status,
    Subscriptions,
    TagBadges,
)
from readstate.errors import Invalid, ReadStateError


class ReadState:
    """The operations. Every one is atomic in its effect, and done (badges included) when it returns.

    All of them may raise Unavailable (nothing was done, try again) and those that write UnknownOutcome. Ids and tags are checked
    where they may create something; elsewhere an impossible id is simply unknown.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    # Rooms

    async def create_room(
        self,
        *,
        app: str,
        room: str = "",
        tags: Sequence[str] = (),
        profile: Mapping[str, bytes] | None = None,
        members: Sequence[str] = (),
        by_client: bool = False,
    ) -> tuple[str, bool]:
        """Create a room (an empty `room`: under a fresh id) and add `members`. Returns its id and whether it is new.

        A room that exists keeps its tags, profile, messages and cursors; the named members are added,
        unless it is a client that asks (`by_client`): then nothing changes. A room that a client made is
        taken over when a backend makes it: it gets the tags and the profile, who is not among `members`
        leaves, invitations end; messages stay, and so do the cursors of those who stay. Raises Invalid,
        LimitReached.
        """
        room = check_id("room", room) if room else new_id()
        created = await self._store.rooms.create_room(
            app=app,
            room=room,
            tags=check_room_tags("roomTags", tags),
            profile=profile or {},
            members=check_members("members", members),
            by_client=by_client,
        )
        return room, created

    # `made`: as the caller has seen the room when it was decided that they may change it
    # (`Room.made`). A room that has changed hands meanwhile is unknown to them.

    async def add_members(
        self, *, app: str, room: str, members: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]:
        """Add members; each starts at the head, with nothing unread. Returns those that were not members before.

        `by_client`: not on the backend's behalf, so that half of the limits on a user holds. Raises Invalid, RoomUnknown, LimitReached.
        """
        members = check_members("members", members)
        return await self._store.rooms.add_members(app=app, room=room, members=members, by_client=by_client, made=made)

    async def invite(self, *, app: str, room: str, users: Sequence[str], made: Made = Made.ANYHOW) -> list[str]:
        """Let users join by themselves (`Room.invited`) until they have, or are removed.

        Returns those that were not invited before.

        They are no members; members are passed over. A room keeps 1,000 open invitations.
        Raises Invalid, RoomUnknown, LimitReached.
        """
        return await self._store.rooms.invite(app=app, room=room, users=check_members("members", users), made=made)

    async def remove_members(
        self, *, app: str, room: str, members: Sequence[str], made: Made = Made.ANYHOW
    ) -> list[str]:
        """Remove members; the room leaves their badges in the same step.

        Returns those that were members. Raises RoomUnknown.

        Of those who were only invited, the invitation ends.
        """
        return await self._store.rooms.remove_members(
            app=app, room=room, members=check_members("members", members), made=made
        )

    async def set_tags(
        self, *, app: str, room: str, tags: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool:
        """Replace the room's tags; every member's per-tag badges follow. True when they changed.

        Raises Invalid, RoomUnknown, LimitReached.
        """
        tags = check_room_tags("roomTags", tags)
        return await self._store.rooms.set_tags(app=app, room=room, tags=tags, by_client=by_client, made=made)

    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool:
        """Freeze or thaw the room: frozen, it is neither counted nor listed. True when it changed. Raises RoomUnknown."""
        return await self._store.rooms.set_status(app=app, room=room, status=status, made=made)

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW) -> None:
        """Set some profile fields (name -> JSON text); the others stay. Raises RoomUnknown."""
        await self._store.rooms.set_profile(app=app, room=room, profile=profile, made=made)

    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool:
        """Delete the room, its messages and its members' states. False when there was none."""
        return await self._store.rooms.delete_room(app=app, room=room, made=made)

    # Messages

    async def post(
        self,
        *,
        app: str,
        room: str,
        sender: str,
        message: str = "",
        countable: bool = True,
        body: str = "{}",
        sender_must_be_member: bool = False,
        sent_ms: int = 0,
        by_time: bool = False,
        move_cursor: bool | None = None,
        as_last: bool | None = None,
        notify: bool = True,
        made: Made = Made.ANYHOW,
    ) -> Posted:
        """Append a message. The sender's own cursor moves to it; every other member has one more unread if it is countable.

        `message` is the backend's id; empty: we make one, 24 hex, rising within the room. A known id changes nothing and is
        answered with its place, its sender and its time. `body` is a JSON object that is pushed to the members and not kept.
        `sender` "" posts without one.
        `sent_ms`: when it was sent, by its sender's clock (Unix ms; 0: now), which is its time from then on. Sent more than a
        minute ago, its sender's move is a receipt of "at the latest now". With `by_time` it does not count in a room of two for
        a reader whose `mark_read_until` lies beyond it: it was read before it came.
        `move_cursor` False: its sender has not read anything by it, and has it unread like the others if it counts.
        `as_last` False: it is never the room's last message. Both are what `countable` is unless given.
        `notify` False: devices do not hear of it.
        Raises Invalid, RoomUnknown, NotMember (only with `sender_must_be_member`). Repeatable exactly when `message` is given.
        """
        if message:
            check_id("message", message)
        if sender:
            check_id("sender", sender)
        return await self._store.messages.post(
            app=app,
            room=room,
            sender=sender,
            message=message,
            countable=countable,
            body=body,
            sender_must_be_member=sender_must_be_member,
            sent_ms=sent_ms,
            by_time=by_time,
            move_cursor=countable if move_cursor is None else move_cursor,
            as_last=countable if as_last is None else as_last,
            notify=notify,
            made=made,
        )

    async def edit_message(self, *, app: str, room: str, message: str, body: str) -> Posted:
        """Push a changed body of a known message; no count changes. Raises RoomUnknown, MessageUnknown."""
        return await self._store.messages.edit_message(app=app, room=room, message=message, body=body)

    async def delete_message(self, *, app: str, room: str, message: str) -> Deleted:
        """Delete a message; every badge that counted it falls by one. Repeating answers count 0. Raises RoomUnknown, MessageUnknown."""
        return await self._store.messages.delete_message(app=app, room=room, message=message)

    async def recall_message(self, *, app: str, room: str, message: str, body: str) -> Deleted:
        """As delete_message, but members see the message again with the recalled `body`. Raises RoomUnknown, MessageUnknown."""
        return await self._store.messages.recall_message(app=app, room=room, message=message, body=body)

    async def delete_messages(self, *, app: str, room: str, before: str = "", before_ms: int = 0) -> Deleted:
        """Delete all messages before the message `before`, or those sent before `before_ms` (Unix ms); with neither, all.

        None of them is unread for any member from then on, remembered or not; cursors stay. A time is asked for when
        there is no message `before`: the first message that stays is then the oldest one that was not sent before it.
        Times are known of remembered messages only: forgotten ones stay until the oldest remembered one goes.
        Raises RoomUnknown, MessageUnknown (`before` is not remembered, and no time is given). Safe to repeat.
        """
        return await self._store.messages.delete_messages(app=app, room=room, before=before, before_ms=before_ms)

    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef:
        """What is remembered of a message. Messages up to the seq `after` count as unknown. Raises RoomUnknown, MessageUnknown."""
        return await self._store.messages.message(app=app, room=room, message=message, after=after)

    # Reading

    async def mark_read(
        self,
        *,
        app: str,
        room: str,
        user: str,
        message: str,
        tell_backend: bool = True,
        with_badge: bool = True,
        derived: Callable[[int], None] = lambda _: None,
    ) -> Reading:
        """Move the user's cursor forward to `message`. An older or equal one succeeds, changes and announces nothing.

        `tell_backend`: no webhook tells of this read when it is the backend that told us. `with_badge`: the answer has
        the user's badge; `derived` is told as by `badge`.
        Raises RoomUnknown, NotMember, MessageUnknown, in this order. Safe to repeat.
        """
        return await self._store.reading.mark_read(
            app=app,
            room=room,
            user=user,
            message=message,
            tell_backend=tell_backend,
            with_badge=with_badge,
            derived=derived,
        )

    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]], derived: Callable[[int], None] = lambda _: None
    ) -> tuple[list[Reading | ReadStateError], int]:
        """Mark (room, message) pairs read, each on its own, in one go. Returns what became of each, and the user's badge after all.

        The badges of the single readings are not asked for and are -1 where they are not known. `derived` is told as by `badge`.
        """
        outcomes = await self._store.reading.mark_read_many(app=app, user=user, items=items)
        return outcomes, await self._store.badges.badge(app=app, user=user, tags=(), derived=derived)

    async def mark_read_until(
        self, *, app: str, room: str, user: str, until_ms: int = 0, tell_backend: bool = True, with_badge: bool = True
    ) -> Reading:
        """As mark_read, for the newest message of `until_ms` (Unix ms) or earlier; 0: now, and so for the newest of all.

        Without any such message nothing changes and `message` is "". Raises RoomUnknown, NotMember. Safe to repeat.
        """
        return await self._store.reading.mark_read_until(
            app=app, room=room, user=user, until_ms=until_ms, tell_backend=tell_backend, with_badge=with_badge
        )

    async def mark_unread(self, *, app: str, room: str, user: str, message: str = "") -> None:
        """Remember that the user wants to see the room as unread from `message` on ("": the newest). No cursor, count or receipt changes.

        The user's next read takes the mark away. Raises RoomUnknown, NotMember, MessageUnknown (also in a room without messages).
        """
        await self._store.reading.mark_unread(app=app, room=room, user=user, message=message)

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        """Make the user's unread in this room `count`, or as many as there are messages; for migrations. The cursor and receipts stay.

        Returns what it is now. Raises Invalid (a negative count), RoomUnknown, NotMember.
        """
        if count < 0:
            raise Invalid("count", "count must be 0 or more")
        return await self._store.reading.set_unread(app=app, room=room, user=user, count=count)

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        """Record that the user has read single messages, without moving the cursor. At most 100 messages.

        Returns those that were news: not the user's own, unknown ones, or such that had been read already.
        Raises Invalid, RoomUnknown, NotMember, RoomTooLarge (beyond 200 members).
        """
        _check_many("messages", messages)
        return await self._store.reading.acknowledge(app=app, room=room, user=user, messages=messages)

    # Receipts

    async def receipts(
        self,
        *,
        app: str,
        room: str,
        message: str,
        which: Filter = Filter.READ,
        limit: int = 50,
        page: str = "",
        after: int = 0,
    ) -> Receipts:
        """Who has, or has not, read a message: up to `limit` (1 to 1,000) people. `page`: "" first, then the `next` of the answer before.

        A page may be shorter than `limit` without being the last. Nobody who had read the message when the first page was asked for is
        left out, however people read on meanwhile, and nobody comes twice (in the first 256 pages between which anything happened).
        Messages up to the seq `after` count as unknown; for a member it is where they joined.
        Raises Invalid, RoomUnknown, MessageUnknown (also for a deleted or recalled message).
        """
        if not 1 <= limit <= MAX_RECEIPTS_PER_PAGE:
            raise Invalid("limit", f"limit must be 1 to {MAX_RECEIPTS_PER_PAGE}")
        return await self._store.receipts.page(
            app=app, room=room, message=message, which=which, limit=limit, page=page, after=after
        )

    async def receipt_counts(
        self, *, app: str, room: str, messages: Sequence[str], after: int = 0
    ) -> list[ReceiptCount | None]:
        """How many have read each of up to 100 messages; None for one that is unknown, deleted or recalled.

        Messages up to the seq `after` count as unknown. Raises Invalid, RoomUnknown.
        """
        _check_many("messages", messages)
        return await self._store.receipts.receipt_counts(app=app, room=room, messages=messages, after=after)

    async def count_messages(self, *, app: str, room: str, since_ms: int = 0, after: int = 0) -> int:
        """How many messages were sent after `since_ms` (Unix ms; 0: at any time), deleted ones left out.

        Messages up to the seq `after` count as unknown. By a time or a seq only the newest 10,000 are
        counted, as far as the room remembers them; without either all. Raises RoomUnknown.
        """
        return await self._store.messages.count_messages(app=app, room=room, since_ms=since_ms, after=after)

    async def find_message(
        self, *, app: str, user: str, message: str, searching: Callable[[int], None] = lambda _: None
    ) -> str:
        """The room of `user` that a message is in, for dialects that name messages alone.

        With the same id in several, any of them.

        When it is not known at once, the user's rooms are searched: `searching` is told before how many they are.
        Raises MessageUnknown, after as many questions to the store for a message of strangers as for none.
        """
        return await self._store.messages.find_message(app=app, user=user, message=message, searching=searching)

    async def subscriptions(self, *, app: str, user: str, since_ms: int = 0) -> Subscriptions:
        """The user's rooms (frozen ones included) that changed for them after `since_ms` (Unix ms), and those that they are no longer in.

        A room above the fan-out limit is always among the changed.
        """
        return await self._store.rooms.subscriptions(app=app, user=user, since_ms=since_ms)

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> bool:
        """Note that `what` (any text) happened at `at_ms` (Unix ms); whether nothing later is known of it.

        A repeat of the newest still holds. For dialects that are told of things late, twice and out of order. Remembered for 30 days.
        """
        return await self._store.latest.note_newest(app=app, what=what, at_ms=at_ms) <= at_ms

    async def newest(self, *, app: str, what: str) -> int:
        """When `what` happened last, as far as note_newest was told (Unix ms); 0 when it never was."""
        return await self._store.latest.note_newest(app=app, what=what, at_ms=0)

    async def take(self, *, app: str, what: str, limit: int, window_ms: int) -> tuple[int, int]:
        """Count one call of `what` in windows of `window_ms`, over all workers.

        Returns (calls left in this window, Unix ms of its end); -1 calls left: this one is over the limit.
        """
        return await self._store.throttle.hit_rate_limit(app=app, what=what, limit=limit, window_ms=window_ms)

    # Badges

    async def badge(
        self, *, app: str, user: str, tags: Sequence[str] = (), derived: Callable[[int], None] = lambda _: None
    ) -> int:
        """Unread over the user's rooms that carry *every* one of `tags`; without tags over all rooms. Raises Invalid.

        `derived` is told how many of the user's rooms are above the fan-out limit: each of them is asked.
        """
        return await self._store.badges.badge(app=app, user=user, tags=check_tags("roomTags", tags), derived=derived)

    async def badge_each(
        self, *, app: str, users: Sequence[str], derived: Callable[[str, int], None] = lambda _user, _rooms: None
    ) -> list[int]:
        """As `badge` without tags, for each of several users; 0 for one who is unknown. `derived` is told of each user."""
        return await self._store.badges.badge_each(app=app, users=users, derived=derived)

    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]:
        """The badges of `users`, with every change of `room` in them of which there has been a notice."""
        return await self._store.badges.badges_after(app=app, room=room, users=users)

    async def badges_by_tags(
        self, *, app: str, user: str, tags: Sequence[str] = (), derived: Callable[[int], None] = lambda _: None
    ) -> TagBadges:
        """Unread per tag; without `tags`, for every tag on the user's active rooms. `derived` is told as by `badge`. Raises Invalid."""
        return await self._store.badges.badges_by_tags(
            app=app, user=user, tags=check_tags("tags", tags), derived=derived
        )

    async def room(self, *, app: str, room: str, user: str = "") -> Room:
        """The room, and in `me` the state of `user` if a member. Raises RoomUnknown."""
        return await self._store.rooms.room(app=app, room=room, user=user)

    async def members(self, *, app: str, room: str, limit: int = MAX_MEMBERS_SHOWN) -> list[MemberState]:
        """Up to `limit` members with their states, in no particular order. Raises RoomUnknown."""
        return await self._store.rooms.members(app=app, room=room, limit=limit)

    async def room_each(self, *, app: str, rooms: Sequence[str], user: str) -> list[Room | None]:
        """As `room` for several; None for one that does not exist."""
        return await self._store.rooms.room_each(app=app, rooms=rooms, user=user)

    async def members_each(self, *, app: str, rooms: Sequence[str], limit: int) -> list[list[MemberState]]:
        """As `members` for several; an empty list for a room that does not exist."""
        return await self._store.rooms.members_each(app=app, rooms=rooms, limit=limit)

    async def room_summary_each(
        self,
        *,
        app: str,
        rooms: Sequence[str],
        user: str,
        tags: bool = False,
        fields: Sequence[str] = (),
        last_read: bool = False,
    ) -> list[RoomSummary | None]:
        """What choosing among `rooms` needs; None for one that does not exist or that the user is no member of.

        Tags only with `tags`, and of the profile only `fields`: both may be large. With `last_read` also
        which message they have read last, and the tags.
        """
        return await self._store.rooms.room_summary_each(
            app=app, rooms=rooms, user=user, tags=tags, fields=fields, last_read=last_read
        )

    async def rooms(self, *, app: str, user: str) -> list[str]:
        """Ids of all rooms that the user is a member of, frozen ones included, in no particular order."""
        return await self._store.rooms.rooms_of(app=app, user=user)

    # Truth

    async def audit_user(self, *, app: str, user: str, repair: bool = False) -> list[Drift]:
        """Recompute the user's copies from their rooms and the counters from the copies; the differences, mended if `repair`."""
        return await self._store.audit.audit_user(app=app, user=user, repair=repair)

    async def audit_room(self, *, app: str, room: str, repair: bool = False) -> list[Drift]:
        """The same for every member of one room."""
        return await self._store.audit.audit_room(app=app, room=room, repair=repair)

    async def audit_all(self, *, repair: bool = False) -> list[Drift]:
        """The same for everything stored."""
        return await self._store.audit.audit_all(repair=repair)


def _check_many(field: str, messages: Sequence[str]) -> None:
    if len(messages) > MAX_RECEIPT_MESSAGES:
        raise Invalid(field, f"{field} must name at most {MAX_RECEIPT_MESSAGES} messages")
