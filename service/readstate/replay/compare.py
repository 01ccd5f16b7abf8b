"""Comparing: asks the service for every room and user, and notes values that differ."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

from readstate.domain.limits import MAX_MEMBERS_SHOWN
from readstate.replay.api import Api, path
from readstate.replay.count import Counted, CountedRoom, badge
from readstate.replay.feed import in_parallel, message_id
from readstate.replay.report import Difference

MAX_PAIRS_PER_USER = 6


class Comparison:
    """Collects differences; `values` is how many answers were compared."""

    def __init__(self, api: Api, counted: Counted, *, concurrency: int, advance: Callable[[int], Any]) -> None:
        self._api = api
        self._counted = counted
        self._concurrency = concurrency
        self._advance = advance
        self.values = 0
        self.differences: list[Difference] = []

    async def run(self) -> None:
        await in_parallel(self._counted.rooms, self._compare_room, self._concurrency)
        await in_parallel(self._counted.users, self._compare_user, self._concurrency)

    def _compare(self, what: str, expected: object, got: object) -> None:
        self.values += 1
        if expected != got:
            self.differences.append(Difference(what, expected, got))

    # Rooms

    async def _compare_room(self, room: str) -> None:
        counted = self._counted.rooms[room]
        if counted.members:
            asker = next(iter(counted.members))
            shown = await self._api.user(asker, "GET", path("rooms", room))
            self._compare_view(room, asker, counted, shown)
            await self._compare_members(room, counted, shown.get("memberProperties"))
        self._advance(1)

    def _compare_view(self, room: str, asker: str, counted: CountedRoom, shown: dict[str, Any]) -> None:
        self._compare(f"tags of room {room!r}", list(counted.tags), sorted(shown.get("roomTags") or []))
        self._compare(f"unread of {asker!r} in room {room!r}", counted.unread(asker), shown.get("unread"))
        newest = (shown.get("lastMessage") or {}).get("_id")
        self._compare(f"newest message of room {room!r}", message_id(counted.posts) if counted.posts else None, newest)

    async def _compare_members(self, room: str, counted: CountedRoom, listed: Any) -> None:
        """Every member: from the room's list or, if it is cut short, by a call as the member."""
        entries = {entry["client"]: entry for entry in listed or []}
        self._compare(f"members listed in room {room!r}", min(len(counted.members), MAX_MEMBERS_SHOWN), len(entries))
        for stranger in entries.keys() - counted.members.keys():
            self._compare(f"member {stranger!r} of room {room!r}", None, entries[stranger])
        for user in counted.members:
            if user in entries:
                self._compare_member(room, user, counted, entries[user])
            elif len(counted.members) > MAX_MEMBERS_SHOWN:
                view = await self._api.user(user, "GET", path("rooms", room))
                self._compare(f"unread of {user!r} in room {room!r}", counted.unread(user), view.get("unread"))
            else:
                self._compare(f"member {user!r} of room {room!r}", "listed", "missing")

    def _compare_member(self, room: str, user: str, counted: CountedRoom, entry: dict[str, Any]) -> None:
        read = counted.members[user].read
        self._compare(f"badge of member {user!r} in room {room!r}", counted.unread(user), entry.get("badge"))
        self._compare(
            f"cursor of member {user!r} in room {room!r}", message_id(read) if read else None, entry.get("lastRead")
        )

    # Users

    async def _compare_user(self, user: str) -> None:
        states = self._counted.users[user]
        await self._compare_badge(user)
        by_tags = await self._api.user(user, "POST", path("badges", "byRoomTags"), {})
        tags = sorted({tag for tags, _ in states for tag in tags})
        self._compare(f"badges by tag of {user!r}", {tag: badge(states, tag) for tag in tags}, by_tags.get("data"))
        # Every room of a replay has tags, so all tags together are all rooms.
        self._compare(f"total of the badges by tag of {user!r}", badge(states), by_tags.get("totalBadge"))
        for pair in list(combinations(tags, 2))[:MAX_PAIRS_PER_USER]:
            await self._compare_badge(user, *pair)
        self._advance(1)

    async def _compare_badge(self, user: str, *tags: str) -> None:
        answer = await self._api.user(user, "GET", path("me", "badge"), query=[("roomTags", tag) for tag in tags])
        what = f"badge of {user!r}" + (f" over rooms with {' and '.join(tags)}" if tags else "")
        self._compare(what, badge(self._counted.users[user], *tags), answer.get("badge"))
