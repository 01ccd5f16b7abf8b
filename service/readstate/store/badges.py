"""Badges: unread over many rooms of a user."""

from collections.abc import Awaitable, Callable, Sequence

from readstate.batches import in_batches
from readstate.domain.badges import TagBadges
from readstate.domain.limits import Charge, free
from readstate.store import lua
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor, all_or_raise
from readstate.store.keys import Keys
from readstate.store.lua import BadgeReply, BadgesByTagsReply
from readstate.store.operations import Operations
from readstate.store.outbox import Outbox
from readstate.store.script_calls import Call
from readstate.store.visits import Visits

BADGES_AT_ONCE = 25  # users in one pipeline; each may be in many rooms that have to be asked


class RedisBadges(Operations):
    """Implements domain.badges.Badges."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds) -> None:
        super().__init__(executor, outbox, bounds)
        self._visits = Visits(executor, outbox, bounds)

    async def badge(self, *, app: str, user: str, tags: Sequence[str] = (), derived: Charge = free) -> int:
        reply = await self._ask(app, user, tags)
        derived(reply.derived)
        return await self._whole_badge(app, user, reply, tags)

    async def badge_each(
        self, *, app: str, users: Sequence[str], derived: Callable[[str, int], None] = lambda _user, _rooms: None
    ) -> list[int]:
        badges: list[int] = []
        for batch in in_batches(users, BADGES_AT_ONCE):
            calls = [(Keys.user(app, user), self._badge_call(app, user, ())) for user in batch]
            replies = all_or_raise(await self._executor.call_each(calls))
            for user, reply in zip(batch, replies, strict=True):
                derived(user, reply.derived)
                badges.append(await self._whole_badge(app, user, reply))
        return badges

    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]:
        await self._outbox.push_pending(app, room, users)
        return dict(zip(users, await self.badge_each(app=app, users=users), strict=True))

    async def badges_by_tags(
        self, *, app: str, user: str, tags: Sequence[str] = (), derived: Charge = free
    ) -> TagBadges:
        def ask() -> Awaitable[BadgesByTagsReply]:
            call = lua.badges_by_tags(app=app, user=user, settings=self._settings, tags=tags)
            return self._executor.call(call, Keys.user(app, user))

        reply = await ask()
        derived(reply.derived)
        reply, rooms = await self._visits.visit_all(app, user, reply, ask)
        total, counts = reply.total, reply.by_tag
        for room in rooms:
            asked = set(room.tags).intersection(tags) if tags else room.tags
            for tag in asked:
                counts[tag] = counts.get(tag, 0) + room.unread
            total += room.unread if asked else 0
        return TagBadges(total=total, counts=counts)

    def _badge_call(self, app: str, user: str, tags: Sequence[str]) -> Call[BadgeReply]:
        return lua.badge(app=app, user=user, settings=self._settings, tags=tags)

    def _ask(self, app: str, user: str, tags: Sequence[str]) -> Awaitable[BadgeReply]:
        return self._executor.call(self._badge_call(app, user, tags), Keys.user(app, user))

    async def _whole_badge(self, app: str, user: str, reply: BadgeReply, tags: Sequence[str] = ()) -> int:
        if not (reply.news or reply.elsewhere):
            return reply.unread
        reply, rooms = await self._visits.visit_all(app, user, reply, lambda: self._ask(app, user, tags))
        return reply.unread + sum(room.unread for room in rooms if set(room.tags).issuperset(tags))
