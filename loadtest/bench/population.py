"""The users and rooms of a measurement, made through the store, and files of calls about them.

The calls are forward moves only, and none comes twice.

Every user is in `rooms_each` rooms of `room_size` members, each room has two of eight tags. All ids
have 24 characters, as IMKit's own, unless a measurement says otherwise. A message of round n has
the same id in every room.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from loadtest.bench.calls import message_id
from loadtest.bench.processes import Valkey
from readstate.domain.identity import FIRST_APP
from readstate.domain.messages import Posted
from readstate.domain.tokens import Tokens
from readstate.store.apps import AppRegistry
from readstate.store.bounds import DEFAULTS
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import OfRoom
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.tokens import RedisTokens

TAGS = ("work", "home", "urgent", "travel", "family", "sales", "support", "news")
TAGS_EACH = 2
AT_ONCE = 64  # calls in flight while a population is made
APP = FIRST_APP
ALL_ATTENTIVE = 1_000_000_000  # posts that attention lasts: all members are attentive for good

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class PopulationSize:
    """How many, how large.

    `name` keeps populations on one server apart; `users` is a multiple of `room_size`.
    """

    name: str
    users: int
    rooms_each: int = 50
    room_size: int = 20
    room_id_chars: int = 24  # the lengths in the samples of docs.imkit.io
    user_id_chars: int = 13

    @property
    def rooms(self) -> int:
        return self.users * self.rooms_each // self.room_size

    @property
    def states(self) -> int:
        """Pairs of a user and a room."""
        return self.users * self.rooms_each

    def __str__(self) -> str:
        return (
            f"{self.users:,} users in {self.rooms_each} rooms each, {self.rooms:,} rooms of "
            f"{self.room_size}: {self.states:,} read states"
        )


@dataclass
class Population:
    """Users, their rooms, and how many messages every room has."""

    size: PopulationSize
    users: list[str] = field(init=False)
    rooms: list[tuple[str, list[str]]] = field(init=False)  # room, its members
    rounds: int = 0

    def __post_init__(self) -> None:
        size, chance = self.size, random.Random(self.size.name)
        self.users = [self._id("user", number) for number in range(size.users)]
        self.rooms = []
        for _ in range(size.rooms_each):
            # Each user once in each layer of rooms, beside other users in every layer.
            order = chance.sample(self.users, size.users)
            for start in range(0, size.users, size.room_size):
                self.rooms.append((self._id("room", len(self.rooms)), order[start : start + size.room_size]))

    def _id(self, kind: str, number: int) -> str:
        chars = self.size.user_id_chars if kind == "user" else self.size.room_id_chars
        return hashlib.sha1(f"{self.size.name} {kind} {number}".encode(), usedforsecurity=False).hexdigest()[:chars]

    def pairs(self) -> list[tuple[str, str]]:
        """(user, room) of every read state, in a random order that is the same in every run."""
        pairs = [(user, room) for room, members in self.rooms for user in members]
        random.Random(self.size.name).shuffle(pairs)
        return pairs

    @property
    def newest(self) -> str:
        """The newest message of every room."""
        return message_id(self.rounds)

    async def make(self, store: RedisStore) -> None:
        """Create the rooms with their members."""
        chance = random.Random(self.size.name)
        await all_of(
            store.rooms.create_room(
                app=APP, room=room, tags=sorted(chance.sample(TAGS, TAGS_EACH)), profile={}, members=members
            )
            for room, members in self.rooms
        )

    async def post_until(self, store: RedisStore, rounds: int) -> None:
        """Have `rounds` messages in every room. They have no sender, so they are unread to all.

        No device is told of them.
        """
        while self.rounds < rounds:
            self.rounds += 1
            await all_of(post(store, room, message_id(self.rounds), notify=False) for room, _ in self.rooms)

    async def tokens(self, executor: Executor, secrets: "Secrets") -> dict[str, str]:
        """A token for each user, as the service issues them."""
        return await issued(executor, secrets, self.users)


@dataclass(frozen=True)
class Secrets:
    """The secrets of a service."""

    api_key: str
    client_key: str
    token_secret: str

    def environ(self) -> dict[str, str]:
        return {
            "READSTATE_API_KEY": self.api_key,
            "READSTATE_CLIENT_KEY": self.client_key,
            "READSTATE_TOKEN_SECRET": self.token_secret,
        }


async def issued(executor: Executor, keys: Secrets, users: Sequence[str]) -> dict[str, str]:
    """A token for each of `users`, as the service issues them."""
    apps = AppRegistry(executor, client_key=keys.client_key, api_key=keys.api_key)
    tokens = Tokens(RedisTokens(executor), apps, secret=keys.token_secret)
    made = await all_of(tokens.issue(app=APP, user=user) for user in users)
    return {user: token.token for user, token in zip(users, made, strict=True)}


def post(
    store: RedisStore,
    room: str,
    message: str,
    sender: str = "",
    sent_ms: int | None = None,
    *,
    notify: bool = True,
) -> Awaitable[Posted]:
    """Post one countable message."""
    return store.messages.post(
        app=APP, room=room, sender=sender, message=message, countable=True, sent_ms=sent_ms, notify=notify
    )


async def all_of(calls: Iterable[Awaitable[_Result]]) -> list[_Result]:
    """The results of many calls, of which AT_ONCE are in flight."""
    results: list[_Result] = []
    batch: list[Awaitable[_Result]] = []
    for call in calls:
        batch.append(call)
        if len(batch) == AT_ONCE:
            results += await asyncio.gather(*batch)
            batch.clear()
    return results + list(await asyncio.gather(*batch))


@asynccontextmanager
async def store_at(
    url: str, *, attention: int = DEFAULTS.attention_posts
) -> AsyncIterator[tuple[RedisStore, Executor]]:
    """The store of the service, over a connection of its own."""
    executor = await connect(url)
    try:
        yield redis_store(executor, attention_posts=attention), executor
    finally:
        await executor.close()


class CallFile:
    """A file of calls that drivers send one after the other, round by round.

    `@` in a body stands for the id of the round's message.

    `position` is the number of calls sent so far.
    """

    def __init__(self, path: Path, calls: Iterable[tuple[str, str, str, str]], client_key: str) -> None:
        """`calls`: (method, path, token, body)."""
        self.path = path
        self.client_key = client_key
        self.position = 0
        lines = ["\t".join(call) + "\n" for call in calls]
        self.length = len(lines)
        path.write_text("".join(lines), encoding="utf-8")

    def rounds_for(self, calls: int) -> int:
        """How many messages every room must have for as many further calls."""
        return (self.position + calls) // self.length + 1


def single_reads(population: Population, tokens: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """PUT lastRead by every user in every room."""
    return (("PUT", f"/rooms/{room}/lastRead", tokens[user], '{"message":"@"}') for user, room in population.pairs())


def bulk_reads(population: Population, tokens: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """PUT /me/lastReads by every user over all their rooms."""
    rooms: dict[str, list[str]] = {}
    for user, room in population.pairs():
        rooms.setdefault(user, []).append(room)
    for user, theirs in rooms.items():
        items = ",".join(f'{{"room":"{room}","message":"@"}}' for room in theirs)
        yield "PUT", "/me/lastReads", tokens[user], f'{{"items":[{items}]}}'


def badges(tokens: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """GET /me/badge by every user."""
    return (("GET", "/me/badge", token, "") for token in tokens.values())


def kept_memory(server: Valkey, *more: str) -> int:
    """Bytes in use by what stays, once they stand still.

    Notices that are kept for seconds are deleted first, and so are the keys of the patterns `more`.
    """
    for pattern in (f"{{r:*}}{OfRoom.RECENT}", *more):
        scan_cursor: int | None = None
        while scan_cursor != 0:
            scan_cursor, keys = server.ask("SCAN", scan_cursor or 0, "MATCH", pattern, "COUNT", 1000)
            if keys:
                server.ask("DEL", *keys)
    return server.used_memory()
