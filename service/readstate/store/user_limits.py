"""Limits on what is kept for one user, checked before they get a room or its tags change.

What a question about a user costs depends on their rooms and tags, and other users bring them into
rooms: so both are bounded. Clients may fill half of what backends may, so that no client uses up
what a backend needs to bring a user in.

Two calls at once may each pass and end a little above a limit. A room that falls back below the
fan-out limit brings its tags without a check.
"""

from collections.abc import Sequence

from readstate.batches import in_batches
from readstate.errors import LimitReached
from readstate.store import lua
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor, all_or_raise
from readstate.store.keys import Keys
from readstate.store.lua import UserLoad

ASKED_AT_ONCE = 250  # users
WEIGHT_LIMIT = 1_000_000  # of a user's distinct tag sets: their bytes, and 20 more for each tag


class UserLimits:
    """See the module."""

    def __init__(self, executor: Executor, bounds: Bounds) -> None:
        self._executor = executor
        self._rooms, self._tags = bounds.user_room_limit, bounds.user_tag_limit

    async def check(
        self, *, app: str, room: str, users: Sequence[str], tags: Sequence[str], by_client: bool, retags: bool = True
    ) -> None:
        """Whether `room` with `tags` may be on the side of each of `users`.

        `retags`: the room may get other tags, so that its present members are checked as well.
        Raises LimitReached for the first user whose limit is reached.
        """
        share = 2 if by_client else 1
        for batch in in_batches(users, ASKED_AT_ONCE):
            for user, load in zip(batch, await self._loads(app, room, batch, tags), strict=True):
                if load.is_in and not retags:
                    continue
                self._check_rooms(user, load, self._rooms // share)
                self._check_tags(user, load, self._tags // share, WEIGHT_LIMIT // share)

    async def _loads(self, app: str, room: str, users: Sequence[str], tags: Sequence[str]) -> list[UserLoad]:
        call = lua.user_load(room=room, tags=tags)
        return all_or_raise(await self._executor.call_each([(Keys.user(app, user), call) for user in users]))

    def _check_rooms(self, user: str, load: UserLoad, limit: int) -> None:
        if not load.is_in and load.rooms >= limit:
            raise LimitReached(
                f"{user} is in as many rooms as this call may bring a user into ({limit}); they have to leave one first"
            )

    def _check_tags(self, user: str, load: UserLoad, tags: int, weight: int) -> None:
        if load.new_tags > 0 and load.tags + load.new_tags > tags:
            raise LimitReached(
                f"the rooms of {user} would carry more than {tags} distinct tags; use fewer or other ones"
            )
        if load.new_weight > 0 and load.weight + load.new_weight > weight:
            raise LimitReached(
                f"the distinct tag sets on the rooms of {user} would be too large together; use fewer or shorter tags"
            )
