"""Profiles of users for the views: looked up together, and kept for two seconds."""

from collections.abc import Callable, Iterable
from time import monotonic

from cachetools import FIFOCache

from readstate.batches import in_batches
from readstate.domain.identity import Directory, User

BELIEVED_S = 2.0
MAX_KNOWN = 20_000


class People:
    """A small cache in front of `Directory.users`, so that a list of rooms asks for each user only
    once.
    """

    def __init__(self, directory: Directory, *, now: Callable[[], float] = monotonic) -> None:
        self._directory = directory
        self._now = now
        self._known: FIFOCache[tuple[str, str], tuple[float, User | None]] = FIFOCache(MAX_KNOWN)

    async def find(self, app: str, users: Iterable[str]) -> dict[str, User | None]:
        """The profile of each of `users`; None for those the directory does not know."""
        found: dict[str, User | None] = {}
        missing: list[str] = []
        now = self._now()
        for user in users:
            known = self._known.get((app, user))
            if known is not None and known[0] > now:
                found[user] = known[1]
            elif user not in found:
                missing.append(user)
                found[user] = None
        for batch in in_batches(missing):
            asked = await self._directory.users(app=app, users=batch)
            for user in batch:
                found[user] = asked.get(user)
                self._learn(app, user, found[user])
        return found

    def changed(self, app: str, user: User) -> None:
        """Show a profile that was just written here at once."""
        self._learn(app, user.user, user)

    def _learn(self, app: str, user: str, profile: User | None) -> None:
        self._known[app, user] = (self._now() + BELIEVED_S, profile)
