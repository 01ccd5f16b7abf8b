"""The people and rooms of a load, made through the public interface and taken away after it."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from random import Random

from readstate.replay.api import Api, Refused, ReplayError, path
from readstate.replay.feed import create_users, in_parallel, message_id

TAGS = ("work", "home", "urgent", "travel")
AT_ONCE = 16  # calls of the setup
POSTS = 100  # of one batch
MEMBERS = 500  # of one call
ROOMS_EACH = 5


@dataclass
class Room:
    """A room. Its n-th message has the id `message_id(n)`."""

    id: str
    tags: Sequence[str]
    members: list[str] = field(default_factory=list)
    posted: int = 0
    read: int = 0  # the newest message that a member has read


@dataclass
class Membership:
    """A member in a room, and up to which message they have read."""

    user: str
    room: Room
    read: int = 0


class World:
    """Users who read, in some rooms each, and listeners, who are in all of them.

    Users and listeners are the same in every run with the same `prefix`. The rooms are fresh.
    """

    def __init__(self, api: Api, *, prefix: str, users: int, rooms: int, listeners: int, seed: int) -> None:
        self._api = api
        self._chance = Random(seed)
        run = secrets.token_hex(3)
        self.users = [f"{prefix}-user-{number}" for number in range(users)]
        self.listeners = [f"{prefix}-listener-{number}" for number in range(listeners)]
        self._writer = f"{prefix}-writer"
        self.rooms = [Room(f"{prefix}-{run}-{number}", self._chance.sample(TAGS, 2)) for number in range(rooms)]
        self.memberships = [
            Membership(user, room)
            for user in self.users
            for room in self._chance.sample(self.rooms, min(ROOMS_EACH, rooms))
        ]
        self._chance.shuffle(self.memberships)
        self._next = cycle(self.memberships)

    async def make(self) -> None:
        """Create all of it. Raises ReplayError, before any change for an id in use."""
        await in_parallel([*self.users, *self.listeners, self._writer], self._check_id, AT_ONCE)
        await create_users(self._api, self.users, concurrency=AT_ONCE)
        # Sockets need tokens, even where users call by the backend.
        for listener in self.listeners:
            made = await self._api.backend("POST", path("admin", "clients"), _with_token(listener))
            self._api.tokens[listener] = made["token"]
        await self._api.backend("POST", path("admin", "clients"), {"_id": self._writer, "nickname": self._writer})
        for one in self.memberships:
            one.room.members.append(one.user)
        await in_parallel(self.rooms, self._make_room, AT_ONCE)

    async def _check_id(self, user: str) -> None:
        """Raises ReplayError for a user of the service. Those of a load are called as their ids."""
        try:
            known = await self._api.backend("GET", path("admin", "people", user))
        except Refused as refused:
            if refused.status == 404:
                return
            raise
        if not any(line.get("profile", {}).get("nickname") == user for line in known["data"]):
            raise ReplayError(f"there is a user {user} who is not of this command: give another --prefix")

    async def _make_room(self, room: Room) -> None:
        made = {"_id": room.id, "name": room.id, "roomType": "group", "roomTags": room.tags}
        await self._api.backend("POST", path("rooms"), made)
        members = room.members + self.listeners
        for start in range(0, len(members), MEMBERS):
            invited = {"invitees": members[start : start + MEMBERS]}
            await self._api.backend("POST", path("rooms", room.id, "members"), invited)

    async def post_for(self, reads: float) -> None:
        """Post so much that so many reads each have a message of their own. Raises ReplayError."""
        each = int(reads / len(self.memberships)) + 2

        async def post(room: Room) -> None:
            while room.posted < room.read + each:
                given = {"room": room.id, "sender": self._writer, "messageType": "text", "message": "m", "push": False}
                ids = range(room.posted + 1, room.posted + POSTS + 1)
                await self._api.post_batch([given | {"_id": message_id(one)} for one in ids])
                room.posted += POSTS

        await in_parallel(self.rooms, post, AT_ONCE)

    def next_read(self) -> Membership | None:
        """A member who reads on, up to `read`. None: they have read everything."""
        one = next(self._next)
        if one.read == one.room.posted:
            return None
        one.read += 1
        one.room.read = max(one.room.read, one.read)
        return one

    async def remove(self) -> None:
        """Delete the rooms and end the tokens, as far as it can be done. The users stay."""

        async def delete(room: Room) -> None:
            with suppress(ReplayError):
                await self._api.backend("DELETE", path("rooms", room.id))

        async def end_tokens(user: str) -> None:
            with suppress(ReplayError):
                await self._api.backend("DELETE", path("admin", "clients", user, "token"), {})

        await in_parallel(self.rooms, delete, AT_ONCE)
        await in_parallel(list(self._api.tokens), end_tokens, AT_ONCE)


def _with_token(user: str) -> dict[str, object]:
    return {"_id": user, "nickname": user, "issueAccessToken": True}
