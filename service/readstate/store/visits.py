"""Visits: a user asks the rooms whose copies may lag, and their side is brought up to date."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from readstate.batches import in_batches
from readstate.store import lua
from readstate.store.executor import all_or_raise
from readstate.store.keys import Keys
from readstate.store.lua import Visited
from readstate.store.operations import Operations
from readstate.store.script_calls import Call
from readstate.store.states import SEPARATOR, State

VISITED_AT_ONCE = 256  # rooms


class _Question(Protocol):
    """A reply that may leave rooms to be visited by its caller: with news, and derived ones."""

    @property
    def news(self) -> Sequence[str]: ...
    @property
    def elsewhere(self) -> Sequence[str]: ...


Asked = TypeVar("Asked", bound=_Question)


class Visits(Operations):
    """Visits from outside of the scripts: of all rooms on the split plan, and of what is more than
    one script may visit on the other.
    """

    async def visit_all(
        self, app: str, user: str, reply: Asked, ask: Callable[[], Awaitable[Asked]], *, follow: bool = False
    ) -> tuple[Asked, list[Visited]]:
        """Visit what the reply to a question leaves to its caller, and ask again until no copy lags
        that did. `follow`: copies of derived rooms are brought up to date as well, and the scripts
        that are asked so count them (lua/lib/following.lua).

        Returns the last reply; and the active derived rooms, whose unread is not in the reply of
        the other scripts. Raises Unavailable, UnknownOutcome.
        """
        visited: dict[str, Visited] = {}
        while True:
            news = [room for room in reply.news if room not in visited]
            derived = [room for room in reply.elsewhere if room not in visited]
            if not (news or derived):
                break
            found, changed = await self._visit(app=app, user=user, news=news, derived=derived, follow=follow)
            visited.update(found)
            if changed:
                reply = await ask()
        return reply, [visited[room] for room in reply.elsewhere if visited[room].active]

    async def _visit(
        self, *, app: str, user: str, news: Sequence[str], derived: Sequence[str], follow: bool
    ) -> tuple[dict[str, Visited], bool]:
        """What each room says, and whether the user's side has changed by that."""
        found: dict[str, Visited] = {}
        call = lua.visit(app=app, user=user, settings=self._settings)
        for batch in in_batches([*news, *derived], VISITED_AT_ONCE):
            replies = await self._executor.call_each([(Keys.room(app, room), call) for room in batch])
            found.update(zip(batch, all_or_raise(replies), strict=True))
        lagging = {room: found[room] for room in news}
        lagging.update((room, found[room]) for room in derived if follow or found[room].state != State.DERIVED)
        for batch in in_batches(list(lagging), VISITED_AT_ONCE):
            await self._apply(app, user, {room: lagging[room] for room in batch})
        return found, bool(lagging)

    async def _apply(self, app: str, user: str, visited: dict[str, Visited]) -> None:
        key = Keys.user(app, user)
        applied = all_or_raise(
            await self._executor.call_each([(key, _update(room, one)) for room, one in visited.items()])
        )
        for room, one in zip(visited, applied, strict=True):
            if one.ahead:
                await self._outbox.reconcile(app, room, user)


def _update(room: str, visited: Visited) -> Call[lua.Applied]:
    return lua.apply(
        room=room,
        revision=visited.revision,
        created_revision=visited.created_revision,
        tags=SEPARATOR.join(visited.tags).encode(),
        cursor=visited.cursor,
        unread=visited.unread,
        state=visited.state,
    )
