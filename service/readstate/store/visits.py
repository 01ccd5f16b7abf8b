"""Visits: a user asks the rooms whose copies may lag, and their side is brought up to date."""

from collections.abc import Sequence

from readstate.batches import in_batches
from readstate.store import lua
from readstate.store.executor import all_or_raise
from readstate.store.keys import Keys
from readstate.store.lua import Visited
from readstate.store.operations import Operations
from readstate.store.script_calls import Call
from readstate.store.states import SEPARATOR, State

VISITED_AT_ONCE = 256  # rooms


class Visits(Operations):
    """Visits from outside of the scripts: of all rooms on the split plan, and of what is more than
    one script may visit on the other.
    """

    async def visit(
        self, *, app: str, user: str, news: Sequence[str], derived: Sequence[str]
    ) -> tuple[dict[str, Visited], bool]:
        """Visit the rooms of a user that have news, and those that are derived.

        Returns what each room says, and whether the user's side has changed by that. Raises
        Unavailable, UnknownOutcome.
        """
        found: dict[str, Visited] = {}
        call = lua.visit(app=app, user=user, settings=self._settings)
        for batch in in_batches([*news, *derived], VISITED_AT_ONCE):
            replies = await self._executor.call_each([(Keys.room(app, room), call) for room in batch])
            found.update(zip(batch, all_or_raise(replies), strict=True))
        lagging = {room: found[room] for room in news}
        lagging.update((room, found[room]) for room in derived if found[room].state != State.DERIVED)
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
        unread=0 if visited.state == State.DERIVED else visited.unread,
        state=visited.state,
    )
