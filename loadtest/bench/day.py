"""A day of chat as a list of calls, the same in every run and whatever the store does.

People come online for sessions of ten minutes. While online they ask for their badge at a fixed
pace, read rooms in which something is unread, and post. Sizes and activity of rooms have Pareto
tails. The list is in the order of the calls' times; how fast it is fed changes nothing that is
stored, since attention is counted in posts.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate

from loadtest.bench.population import TAGS, TAGS_EACH

SESSION_S = 600.0
READ_S = 20.0  # between two reads of a person online, on the average
POST_S = 150.0  # between two posts, for each user, online or not, on the average
SIZE_TAIL = 0.2  # exponents of the Pareto distributions
ACTIVITY_TAIL = 1.2
MOST_ACTIVE = 50.0  # times the least active room


class Kind(Enum):
    """What a call does; by the name of its script."""

    ASK = "badge"
    READ = "mark_read"
    POST = "post"


@dataclass(frozen=True)
class DayCall:
    """One call. `message`: the one that is read or posted, by its number."""

    kind: Kind
    user: str
    room: str = ""
    message: int = 0


@dataclass(frozen=True)
class DaySize:
    """Which people, and how much of their day.

    The day is as long as makes so many posts; `warm` more come before, in which attention settles.
    """

    users: int
    posts: int
    warm: int
    rooms_each: int = 26
    largest: int = 250  # members of a room; the smallest has two
    online: float = 0.07  # share of the users
    ask_s: int = 5  # between two badges of a person online

    @property
    def seconds(self) -> int:
        return round(self.posts * POST_S / self.users)

    @property
    def warm_s(self) -> int:
        return round(self.warm * POST_S / self.users)

    def __str__(self) -> str:
        return f"rooms of 2 to {self.largest}, {self.online:.0%} online, asking every {self.ask_s} s"


@dataclass
class Room:
    """A room as the day knows it."""

    id: str
    members: list[str]
    tags: list[str]
    activity: float
    newest: int = 0
    read: dict[str, int] = field(default_factory=dict)


class Day:
    """The rooms, and the calls of the warm-up and of the day."""

    def __init__(self, size: DaySize) -> None:
        self.size = size
        # Rooms and people are those of every day with as many of them.
        self._chance = random.Random(f"{size.users} {size.rooms_each} {size.largest}")
        self.users = [_id("user", number)[:13] for number in range(size.users)]
        self.rooms = list(self._make_rooms())
        self._rooms_of: dict[str, list[Room]] = {user: [] for user in self.users}
        for room in self.rooms:
            for member in room.members:
                self._rooms_of[member].append(room)
        self._people = [user for user in self.users if self._rooms_of[user]]
        self._activity = {user: list(accumulate(room.activity for room in self._rooms_of[user])) for user in self.users}
        self._messages = 0
        calls = [list(self._second(at)) for at in self._seconds()]
        self.warm_up = [call for second in calls[: size.warm_s] for call in second]
        self.calls = [call for second in calls[size.warm_s :] for call in second]

    def _make_rooms(self) -> Iterator[Room]:
        chance, left = self._chance, self.size.users * self.size.rooms_each
        while left > 0:
            members = chance.sample(self.users, round(_pareto(chance, SIZE_TAIL, 2, self.size.largest)))
            left -= len(members)
            tags = sorted(chance.sample(TAGS, TAGS_EACH))
            activity = _pareto(chance, ACTIVITY_TAIL, 1, MOST_ACTIVE)
            yield Room(_id("room", left)[:24], members, tags, activity)

    def _seconds(self) -> Iterator[int]:
        """Each second of warm-up and day, with the people who are online in it."""
        size, chance = self.size, self._chance
        chance.seed(str(size))
        # Second in which each person comes or goes next. At the start as many are online as always.
        self._online = {user: -chance.randrange(size.ask_s) for user in self._people if chance.random() < size.online}
        away_s = SESSION_S * (1 - size.online) / size.online
        turns = {
            user: chance.random() * SESSION_S if user in self._online else chance.expovariate(1 / away_s)
            for user in self._people
        }
        for at in range(size.warm_s + size.seconds):
            for user, turn in turns.items():
                if turn > at:
                    continue
                if user in self._online:
                    del self._online[user]
                    turns[user] = at + chance.expovariate(1 / away_s)
                else:
                    self._online[user] = at
                    turns[user] = at + SESSION_S
            yield at

    def _second(self, at: int) -> Iterator[DayCall]:
        """The calls of one second, in a random order."""
        chance, online = self._chance, list(self._online)
        acts = [(Kind.ASK, user) for user in online if (at - self._online[user]) % self.size.ask_s == 0]
        acts += [(Kind.READ, user) for user in online if chance.random() < 1 / READ_S]
        posts = self._count(self.size.users / POST_S)
        acts += [(Kind.POST, chance.choice(online)) for _ in range(posts if online else 0)]
        chance.shuffle(acts)
        for kind, user in acts:
            if kind is Kind.ASK:
                yield DayCall(kind, user)
            elif kind is Kind.POST:
                yield self._post(user)
            else:
                yield from self._read(user)

    def _count(self, mean: float) -> int:
        """How many events of a Poisson process fall into a second."""
        count, at = 0, self._chance.expovariate(mean)
        while at < 1:
            count, at = count + 1, at + self._chance.expovariate(mean)
        return count

    def _post(self, user: str) -> DayCall:
        (room,) = self._chance.choices(self._rooms_of[user], cum_weights=self._activity[user])
        self._messages += 1
        room.newest = room.read[user] = self._messages
        return DayCall(Kind.POST, user, room.id, room.newest)

    def _read(self, user: str) -> Iterator[DayCall]:
        """The most active rooms are read most; nothing is done when all is read."""
        unread = [room for room in self._rooms_of[user] if room.newest > room.read.get(user, 0)]
        if unread:
            (room,) = self._chance.choices(unread, [room.activity for room in unread])
            room.read[user] = room.newest
            yield DayCall(Kind.READ, user, room.id, room.newest)


def _pareto(chance: random.Random, tail: float, least: float, most: float) -> float:
    """A number from a Pareto distribution that is cut off at `most`."""
    share = chance.random() * (1 - (least / most) ** tail)
    return float(least * (1 - share) ** (-1 / tail))


def _id(kind: str, number: int) -> str:
    return hashlib.sha1(f"day {kind} {number}".encode(), usedforsecurity=False).hexdigest()
