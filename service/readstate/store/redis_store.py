"""Read state in Redis: one typed method per script. Nothing else knows the order of arguments or the shape of replies."""

import contextlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from readstate.batches import gather_batched, in_batches
from readstate.domain.limits import MESSAGES_COUNTED
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
from readstate.errors import Fault, MessageUnknown, ReadStateError, Refusal, RoomUnknown
from readstate.store.audit import Audit
from readstate.store.executor import Executor, Part, all_or_raise
from readstate.store.keys import Keys
from readstate.store.outbox import Outbox
from readstate.store.receipts import receipts_page
from readstate.store.states import SEPARATOR, State
from readstate.store.user_limits import UserLimits

FANOUT_LIMIT = 256  # members
MESSAGE_HISTORY = 10_000  # messages
JOURNAL_MOVES = 1024  # of one member in one room
JOURNAL_DAYS = 90
USER_ROOM_LIMIT = 2000  # rooms that a backend may bring a user into; clients half of them
USER_TAG_LIMIT = 1000  # distinct tags on a user's rooms, the same
DERIVED_AT_ONCE = 256  # rooms that one script asks for their unread; as in lua/lib/plan_atomic.lua
MEMBERS_AT_ONCE = 100  # who come or go in one script
RECEIPTS_COUNTED_AT_ONCE = 25  # messages in one script
BADGES_AT_ONCE = 25  # users in one pipeline; each may be in many rooms above the fan-out limit
MESSAGES_COUNTED_AT_ONCE = 500  # messages in one script
NEWEST_KEPT_MS = 30 * 86_400_000
MESSAGE_FOUND_S = 86_400  # for so long the room of a message is found without searching
MAX_INVITATIONS = 1000  # open ones of a room
_TAKING_OVER = 2  # what create_room.lua answers when it has to be called again


class RedisStore:
    """Implements domain.ports.Store over either plan; see docs/architecture.md."""

    def __init__(
        self,
        executor: Executor,
        *,
        fanout_limit: int = FANOUT_LIMIT,
        message_history: int = MESSAGE_HISTORY,
        journal_moves: int = JOURNAL_MOVES,
        journal_days: int = JOURNAL_DAYS,
        user_room_limit: int = USER_ROOM_LIMIT,
        user_tag_limit: int = USER_TAG_LIMIT,
        events: bool = False,
    ) -> None:
        self._executor = executor
        self._scripts = executor.scripts
        self._limit = fanout_limit
        self._history = message_history
        self._journal = f"{journal_moves} {journal_days * 86_400_000}"
        self._user_limits = UserLimits(executor, rooms=user_room_limit, tags=user_tag_limit)
        self._events = events
        self.outbox = Outbox(executor, self._journal)
        self._audit = Audit(executor, self.outbox)

    # Rooms

    async def create_room(
        self,
        *,
        app: str,
        room: str,
        tags: Sequence[str],
        profile: Mapping[str, bytes],
        members: Sequence[str],
        by_client: bool = False,
    ) -> bool:
        await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client)
        fields: list[Part] = [part for item in profile.items() for part in item]
        args: list[Part] = [app, SEPARATOR.join(tags), self._limit, self._journal, int(by_client), len(fields)]
        first, rest = members[:MEMBERS_AT_ONCE], members[MEMBERS_AT_ONCE:]
        args += [len(first), *fields, *members]
        while (reply := await self._change("create_room", app, room, args)) == _TAKING_OVER:
            pass  # so many leave at a time
        if rest and (reply == 1 or not by_client):
            # A room that is deleted meanwhile was made, and is gone.
            with contextlib.suppress(RoomUnknown):
                await self._change_members(
                    "add_members", app, room, [app, self._limit, self._journal, Made.ANYHOW.value], rest
                )
        return bool(reply == 1)

    async def add_members(
        self, *, app: str, room: str, members: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> list[str]:
        tags = (await self.room(app=app, room=room, user="")).tags
        await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client, retags=False)
        return await self._change_members(
            "add_members", app, room, [app, self._limit, self._journal, made.value], members
        )

    async def invite(self, *, app: str, room: str, users: Sequence[str], made: Made = Made.ANYHOW) -> list[str]:
        args = [MAX_INVITATIONS, made.value, *users]
        return _texts(await self._executor.call(self._scripts["invite"], [Keys.room(app, room)], args))

    async def remove_members(
        self, *, app: str, room: str, members: Sequence[str], made: Made = Made.ANYHOW
    ) -> list[str]:
        return await self._change_members("remove_members", app, room, [app, self._limit, made.value], members)

    async def set_tags(
        self, *, app: str, room: str, tags: Sequence[str], by_client: bool = False, made: Made = Made.ANYHOW
    ) -> bool:
        if (await self.room(app=app, room=room, user="")).member_count <= self._limit:
            key = Keys.room(app, room)
            members = [
                _text(field) for field in await self._executor.command("HKEYS", key, key=key) if field
            ]  # "" is the head
            await self._user_limits.check(app=app, room=room, users=members, tags=tags, by_client=by_client)
        return bool(
            await self._change("set_tags", app, room, [app, SEPARATOR.join(tags), self._limit, made.value]) == 1
        )

    async def set_status(self, *, app: str, room: str, status: Status, made: Made = Made.ANYHOW) -> bool:
        return bool(await self._change("set_status", app, room, [app, status.value, made.value]) == 1)

    async def set_profile(self, *, app: str, room: str, profile: Mapping[str, bytes], made: Made = Made.ANYHOW) -> None:
        fields: list[Part] = [part for item in profile.items() for part in item]
        await self._executor.call(self._scripts["set_profile"], [Keys.room(app, room)], [app, made.value, *fields])

    async def delete_room(self, *, app: str, room: str, made: Made = Made.ANYHOW) -> bool:
        deleted, left = await self._change("delete_room", app, room, [app, made.value])
        # The room is gone, whatever becomes of this: who is not told finds out when they next ask for it.
        with contextlib.suppress(Fault):
            while left > 0:
                left = await self._change("sweep_room", app, room, [app, MEMBERS_AT_ONCE])
        return bool(deleted)

    # Messages

    async def post(
        self,
        *,
        app: str,
        room: str,
        sender: str,
        message: str,
        countable: bool,
        body: str,
        sender_must_be_member: bool,
        sent_ms: int = 0,
        by_time: bool = False,
        move_cursor: bool = True,
        as_last: bool = True,
        notify: bool = True,
        made: Made = Made.ANYHOW,
    ) -> Posted:
        kept: list[Part] = [self._limit, self._history, self._journal]
        args: list[Part] = [
            app,
            sender,
            message,
            int(countable),
            int(sender_must_be_member),
            body,
            *kept,
            sent_ms,
            made.value,
        ]
        args += [int(by_time), int(move_cursor), int(as_last), int(notify)]
        posted = _posted(await self._change("post", app, room, args, repeatable=message != ""))
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

    async def delete_messages(self, *, app: str, room: str, before: str = "", before_ms: int = 0) -> Deleted:
        deleted, more = 0, True
        while more:  # so many are looked at in one script
            count, more, first = await self._change("delete_messages", app, room, [app, before, before_ms])
            deleted += count
        return Deleted(deleted, _text(first))

    async def message(self, *, app: str, room: str, message: str, after: int = 0) -> MessageRef:
        seq, sender, at_ms = await self._executor.call(
            self._scripts["message"], [Keys.room(app, room)], [message, after]
        )
        return MessageRef(message, seq, _text(sender), at_ms)

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
        args = (app, user, message, self._journal, self._event_shard(app, room) if tell_backend else "")
        reading = _reading(await self._change("mark_read", app, room, args))
        return await self._with_badge(app, user, reading, derived) if with_badge else reading

    async def mark_read_many(
        self, *, app: str, user: str, items: Sequence[tuple[str, str]]
    ) -> list[Reading | ReadStateError]:
        changes = [(room, (app, user, message, self._journal, self._event_shard(app, room))) for room, message in items]
        replies = await self.outbox.change_each("mark_read", app, changes)
        return [reply if isinstance(reply, ReadStateError) else _reading(reply) for reply in replies]

    async def mark_read_until(
        self, *, app: str, room: str, user: str, until_ms: int, tell_backend: bool = True, with_badge: bool = True
    ) -> Reading:
        args = (app, user, until_ms, self._journal, self._event_shard(app, room) if tell_backend else "")
        reading = _reading(await self._change("mark_read_until", app, room, args))
        return await self._with_badge(app, user, reading) if with_badge else reading

    async def mark_unread(self, *, app: str, room: str, user: str, message: str) -> None:
        await self._change("mark_unread", app, room, [app, user, message])

    async def set_unread(self, *, app: str, room: str, user: str, count: int) -> int:
        return int(await self._change("set_unread", app, room, [app, user, count]))

    async def acknowledge(self, *, app: str, room: str, user: str, messages: Sequence[str]) -> list[str]:
        return _texts(
            await self._executor.call(self._scripts["acknowledge"], [Keys.room(app, room)], [user, *messages])
        )

    # Receipts

    async def receipts(
        self, *, app: str, room: str, message: str, which: Filter, limit: int, page: str, after: int = 0
    ) -> Receipts:
        return await receipts_page(self._executor, Keys.room(app, room), message, which, limit, page, after)

    async def receipt_counts(
        self, *, app: str, room: str, messages: Sequence[str], after: int = 0
    ) -> list[ReceiptCount | None]:
        key = Keys.room(app, room)
        calls: list[tuple[str, list[Part]]] = [
            (key, [after, *batch]) for batch in in_batches(messages, RECEIPTS_COUNTED_AT_ONCE)
        ]
        replies = await self._executor.call_each(self._scripts["receipt_counts"], calls or [(key, [after])])
        counts = itertools.chain.from_iterable(all_or_raise(replies))
        return [
            ReceiptCount(message, *count) if count else None for message, count in zip(messages, counts, strict=True)
        ]

    async def find_message(
        self, *, app: str, user: str, message: str, searching: Callable[[int], None] = lambda _: None
    ) -> str:
        key = Keys.message(app, message)
        noted = _text(await self._executor.command("GET", key, key=key) or b"")
        # Also asked when nothing is noted, so that a message of strangers costs as much as one that
        # is not there.
        if await self._among(app, user, [noted]) and await self._with_message(app, [noted], message):
            return noted
        own = await self.rooms(app=app, user=user)
        searching(len(own))
        for batch in in_batches(own):
            if there := await self._with_message(app, batch, message):
                return there[0]
        raise MessageUnknown(message)

    async def subscriptions(self, *, app: str, user: str, since_ms: int) -> Subscriptions:
        changed, derived, removed = await self._executor.call(
            self._scripts["subscriptions"], [Keys.user(app, user)], [since_ms]
        )
        large = dict(_rooms_at(derived))
        there = [(room, large[room]) for room in await self._in_derived(app, user, tuple(large))]
        return Subscriptions((*_rooms_at(changed), *there), _rooms_at(removed))

    async def note_newest(self, *, app: str, what: str, at_ms: int) -> int:
        return int(
            await self._executor.call(self._scripts["note_newest"], [Keys.newest(app, what)], [at_ms, NEWEST_KEPT_MS])
        )

    async def take(self, *, app: str, what: str, limit: int, window_ms: int) -> tuple[int, int]:
        calls, left_ms = await self._executor.call(
            self._scripts["take"], [Keys.window(app, what)], [window_ms], repeatable=False
        )
        return max(limit - calls, -1), time.time_ns() // 1_000_000 + left_ms

    # Badges

    async def badge(
        self, *, app: str, user: str, tags: Sequence[str], derived: Callable[[int], None] = lambda _: None
    ) -> int:
        unread, large, elsewhere = await self._executor.call(
            self._scripts["badge"], [Keys.user(app, user)], [app, user, *tags]
        )
        derived(large)
        for count, room_tags in await self._ask_derived(app, user, elsewhere):
            if room_tags.issuperset(tags):
                unread += count
        return int(unread)

    async def badge_each(
        self, *, app: str, users: Sequence[str], derived: Callable[[str, int], None] = lambda _user, _rooms: None
    ) -> list[int]:
        badges: list[int] = []
        for batch in in_batches(users, BADGES_AT_ONCE):
            calls = [(Keys.user(app, user), (app, user)) for user in batch]
            replies = all_or_raise(await self._executor.call_each(self._scripts["badge"], calls))
            for user, (unread, large, elsewhere) in zip(batch, replies, strict=True):
                derived(user, large)
                badges.append(unread + sum(count for count, _ in await self._ask_derived(app, user, elsewhere)))
        return badges

    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]:
        await self.outbox.tell_owed(app, room, users)
        return dict(zip(users, await self.badge_each(app=app, users=users), strict=True))

    async def badges_by_tags(
        self, *, app: str, user: str, tags: Sequence[str], derived: Callable[[int], None] = lambda _: None
    ) -> TagBadges:
        reply = await self._executor.call(self._scripts["badges_by_tags"], [Keys.user(app, user)], [app, user, *tags])
        total, flat, large, elsewhere = reply
        derived(large)
        counts = {_text(tag): int(unread) for tag, unread in _pairs(flat)}
        for count, room_tags in await self._ask_derived(app, user, elsewhere):
            asked = room_tags.intersection(tags) if tags else room_tags
            for tag in asked:
                counts[tag] = counts.get(tag, 0) + count
            total += count if asked else 0
        return TagBadges(total=total, counts=counts)

    async def room(self, *, app: str, room: str, user: str) -> Room:
        return _room(room, user, await self._executor.call(self._scripts["room"], [Keys.room(app, room)], [user]))

    async def room_each(self, *, app: str, rooms: Sequence[str], user: str) -> list[Room | None]:
        replies = await self._ask_each("room", app, rooms, [user])
        return [_room(room, user, reply) if reply else None for room, reply in zip(rooms, replies, strict=True)]

    async def room_summary_each(
        self, *, app: str, rooms: Sequence[str], user: str, tags: bool, fields: Sequence[str], last_read: bool = False
    ) -> list[RoomSummary | None]:
        replies = await self._ask_each("room_summary", app, rooms, [user, 2 if last_read else int(tags), *fields])
        return [
            _summary(room, user, fields, reply) if reply else None for room, reply in zip(rooms, replies, strict=True)
        ]

    async def count_messages(self, *, app: str, room: str, since_ms: int, after: int) -> int:
        count = below = 0
        for _ in range(MESSAGES_COUNTED // MESSAGES_COUNTED_AT_ONCE):
            args = [since_ms, after, below, MESSAGES_COUNTED_AT_ONCE]
            more, below = await self._executor.call(self._scripts["count_messages"], [Keys.room(app, room)], args)
            count += more
            if not below:
                break
        return count

    async def members(self, *, app: str, room: str, limit: int) -> list[MemberState]:
        return _members(await self._executor.call(self._scripts["members"], [Keys.room(app, room)], [limit]))

    async def members_each(self, *, app: str, rooms: Sequence[str], limit: int) -> list[list[MemberState]]:
        return [_members(flat) for flat in await self._ask_each("members", app, rooms, [limit])]

    async def rooms(self, *, app: str, user: str) -> list[str]:
        rooms, derived = await self._executor.call(self._scripts["rooms"], [Keys.user(app, user)], [])
        return [*_texts(rooms), *await self._in_derived(app, user, _texts(derived))]

    # Truth

    async def audit_user(self, *, app: str, user: str, repair: bool) -> list[Drift]:
        return await self._audit.user(app, user, repair)

    async def audit_room(self, *, app: str, room: str, repair: bool) -> list[Drift]:
        return await self._audit.room(app, room, repair)

    async def audit_all(self, *, repair: bool) -> list[Drift]:
        return await self._audit.everything(repair)

    async def _ask_each(
        self,
        script: str,
        app: str,
        rooms: Sequence[str],
        args: Sequence[Part],
        unknown: tuple[type[Refusal], ...] = (RoomUnknown,),
    ) -> list[Any]:
        """What a script answers for each of several rooms; an empty list where it refuses as `unknown`."""
        replies: list[Any] = []
        for batch in in_batches(rooms):
            replies += await self._executor.call_each(
                self._scripts[script], [(Keys.room(app, room), args) for room in batch]
            )
        return all_or_raise([[] if isinstance(reply, unknown) else reply for reply in replies])

    async def _change_members(
        self, script: str, app: str, room: str, args: Sequence[Part], members: Sequence[str]
    ) -> list[str]:
        """Run a script for some members after the others, so that none keeps the store busy for long; all that the runs answer."""
        changed: list[str] = []
        for batch in in_batches(members, MEMBERS_AT_ONCE) if members else [()]:
            changed += _texts(await self._change(script, app, room, [*args, *batch]))
        return changed

    async def _change(self, script: str, app: str, room: str, args: Sequence[Part], *, repeatable: bool = True) -> Any:
        return await self.outbox.change(script, app, room, args, repeatable=repeatable)

    def _event_shard(self, app: str, room: str) -> int | str:
        return Keys.event_shard(Keys.room(app, room)) if self._events else ""

    async def _with_badge(
        self, app: str, user: str, reading: Reading, derived: Callable[[int], None] = lambda _: None
    ) -> Reading:
        """The reading with the user's badge, which the script does not know on the split plan or beside derived rooms."""
        if reading.badge < 0:
            return replace(reading, badge=await self.badge(app=app, user=user, tags=(), derived=derived))
        return reading

    async def _in_derived(self, app: str, user: str, rooms: Sequence[str]) -> list[str]:
        """Those of the rooms that the user's side lists as derived that are there; one that was deleted meanwhile is taken off the list."""
        there = await self._among(app, user, rooms)
        # Who only asks is answered, whatever becomes of this: a full store takes nothing, and the next one to ask tries again.
        with contextlib.suppress(Fault):
            for room in set(rooms).difference(there):
                await self.outbox.change("retell", app, room, [app, 0, user])
        return there

    async def _with_message(self, app: str, rooms: Sequence[str], message: str) -> list[str]:
        """Those of the rooms that hold this message."""
        replies = await self._ask_each("message", app, rooms, [message, 0], unknown=(RoomUnknown, MessageUnknown))
        return [room for room, reply in zip(rooms, replies, strict=True) if reply != []]

    async def _among(self, app: str, user: str, rooms: Sequence[str]) -> list[str]:
        """Those of the rooms that the user is a member of."""
        found = await self.room_summary_each(app=app, rooms=rooms, user=user, tags=False, fields=())
        return [room.room for room in found if room is not None]

    async def _ask_derived(self, app: str, user: str, rooms: Sequence[bytes]) -> list[tuple[int, frozenset[str]]]:
        """Unread and tags of each active room among `rooms` that the user is a member of."""
        if self._executor.plan == "atomic":
            return await self._ask_derived_here(app, user, rooms)

        async def ask(room: bytes) -> Any:
            return await self._executor.call(self._scripts["snapshot"], [Keys.room(app, _text(room))], [user])

        found = []
        for _, tags, active, (_, _, unread, state, _, _) in await gather_batched(ask, rooms):
            if active and state != State.GONE:
                found.append((int(unread), frozenset(_tags(tags))))
        return found

    async def _ask_derived_here(self, app: str, user: str, rooms: Sequence[bytes]) -> list[tuple[int, frozenset[str]]]:
        """The same on one server, where a script reaches them from the user: DERIVED_AT_ONCE in one."""
        found: list[tuple[int, frozenset[str]]] = []
        for batch in in_batches(rooms, DERIVED_AT_ONCE):
            replies = await self._executor.call(
                self._scripts["derived_unread"], [Keys.user(app, user)], [app, user, *batch]
            )
            found += [(int(unread), frozenset(_tags(tags))) for unread, tags in replies]
        return found


def _text(value: bytes) -> str:
    return value.decode()


def _texts(values: Sequence[bytes]) -> list[str]:
    return [value.decode() for value in values]


def _tags(joined: bytes) -> tuple[str, ...]:
    return tuple(joined.decode().split(SEPARATOR)) if joined else ()


def _pairs(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _rooms_at(flat: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    return tuple((_text(room), int(at_ms)) for room, at_ms in _pairs(flat))


def _room(room: str, user: str, reply: Sequence[Any]) -> Room:
    active, tags, created_ms, seq, members, profile, last, me, invited, by_client = reply
    return Room(
        room=room,
        status=Status(active),
        tags=_tags(tags),
        profile={_text(name): bytes(value) for name, value in _pairs(profile)},
        created_ms=created_ms,
        seq=seq,
        member_count=members,
        last=_message_ref(last),
        me=MemberState(user, me[0], me[1], _text(me[2]) or None, me[3], me[4] == 1, me[5], me[6]) if me else None,
        invited=invited == 1,
        by_client=by_client == 1,
    )


def _message_ref(reply: Sequence[Any]) -> MessageRef | None:
    """A message as scripts answer it, {} for none."""
    return MessageRef(message=_text(reply[0]), seq=reply[1], sender=_text(reply[2]), at_ms=reply[3]) if reply else None


def _summary(room: str, user: str, fields: Sequence[str], reply: Sequence[Any]) -> RoomSummary:
    active, created_ms, last, unread, moved_ms, has_read, marked_ms, tags, profile, last_read = reply
    return RoomSummary(
        room=room,
        status=Status(active),
        created_ms=created_ms,
        last=_message_ref(last),
        tags=_tags(tags),
        profile={name: value for name, value in zip(fields, profile, strict=True) if value is not None},
        me=MemberState(user, 0, unread, _text(last_read) or None, moved_ms, has_read == 1, marked_ms),
    )


def _members(flat: Sequence[Any]) -> list[MemberState]:
    return [
        MemberState(member=_text(flat[i]), cursor=flat[i + 1], unread=flat[i + 2], last_read=_text(flat[i + 3]) or None)
        for i in range(0, len(flat), 4)
    ]


def _reading(reply: Sequence[Any]) -> Reading:
    last, seq, moved, unread, badge = reply
    return Reading(_text(last), seq, moved == 1, unread, badge)


def _posted(reply: Sequence[Any]) -> Posted:
    message, seq, ordinal, at_ms, created, moved, sender = reply
    return Posted(_text(message), seq, ordinal, at_ms, created == 1, moved, _text(sender))
