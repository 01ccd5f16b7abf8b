"""Badges: unread over many rooms of a user."""

from collections.abc import Callable, Sequence

from readstate.batches import gather_batched, in_batches
from readstate.domain.badges import TagBadges
from readstate.domain.limits import Charge, free
from readstate.store import lua
from readstate.store.executor import all_or_raise
from readstate.store.keys import Keys
from readstate.store.lua import DerivedUnread
from readstate.store.operations import Operations
from readstate.store.states import State

DERIVED_AT_ONCE = 256  # rooms that one script asks for their unread; as in lua/lib/plan_atomic.lua
BADGES_AT_ONCE = 25  # users in one pipeline; each may be in many rooms above the fan-out limit


class RedisBadges(Operations):
    """Implements domain.badges.Badges."""

    async def badge(self, *, app: str, user: str, tags: Sequence[str] = (), derived: Charge = free) -> int:
        reply = await self._executor.call(lua.badge(app=app, user=user, tags=tags), Keys.user(app, user))
        derived(reply.derived)
        unread = reply.unread
        for room in await self._ask_derived(app, user, reply.elsewhere):
            if set(room.tags).issuperset(tags):
                unread += room.unread
        return unread

    async def badge_each(
        self, *, app: str, users: Sequence[str], derived: Callable[[str, int], None] = lambda _user, _rooms: None
    ) -> list[int]:
        badges: list[int] = []
        for batch in in_batches(users, BADGES_AT_ONCE):
            calls = [(Keys.user(app, user), lua.badge(app=app, user=user, tags=())) for user in batch]
            replies = all_or_raise(await self._executor.call_each(calls))
            for user, reply in zip(batch, replies, strict=True):
                derived(user, reply.derived)
                asked = await self._ask_derived(app, user, reply.elsewhere)
                badges.append(reply.unread + sum(room.unread for room in asked))
        return badges

    async def badges_after(self, *, app: str, room: str, users: Sequence[str]) -> dict[str, int]:
        await self._outbox.push_pending(app, room, users)
        return dict(zip(users, await self.badge_each(app=app, users=users), strict=True))

    async def badges_by_tags(
        self, *, app: str, user: str, tags: Sequence[str] = (), derived: Charge = free
    ) -> TagBadges:
        reply = await self._executor.call(lua.badges_by_tags(app=app, user=user, tags=tags), Keys.user(app, user))
        derived(reply.derived)
        total, counts = reply.total, reply.by_tag
        for room in await self._ask_derived(app, user, reply.elsewhere):
            asked = set(room.tags).intersection(tags) if tags else room.tags
            for tag in asked:
                counts[tag] = counts.get(tag, 0) + room.unread
            total += room.unread if asked else 0
        return TagBadges(total=total, counts=counts)

    async def _ask_derived(self, app: str, user: str, rooms: Sequence[str]) -> list[DerivedUnread]:
        """Unread and tags of each active room among `rooms` that the user is a member of."""
        found: list[DerivedUnread] = []
        if self._executor.plan == "atomic":
            for batch in in_batches(rooms, DERIVED_AT_ONCE):
                call = lua.derived_unread(app=app, user=user, rooms=batch)
                found += await self._executor.call(call, Keys.user(app, user))
            return found
        asking = lua.snapshot(users=[user])
        for snapshot in await gather_batched(lambda room: self._executor.call(asking, Keys.room(app, room)), rooms):
            (here,) = snapshot.states
            if snapshot.active and here.state != State.GONE:
                found.append(DerivedUnread(here.unread, snapshot.tags))
        return found
