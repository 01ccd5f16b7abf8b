"""Rate limits: token buckets, counted in cost (see costs), in the memory of each worker.

A bucket is one number, the time when it will be full again. So nothing has to be refilled by a
clock, and a full bucket can be forgotten. A charge after a call may take a bucket below empty; the
next call then waits longer.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from math import ceil
from time import monotonic
from typing import Generic, TypeVar

from readstate.dialects.access import costs
from readstate.dialects.http.output_buffers import OutputBuffers
from readstate.errors import TooManyRequests

CAPACITY_S = 10.0  # a bucket holds the units of so many seconds
MAX_BUCKETS = 50_000  # of a kind; full ones are forgotten first
MAX_EXPENSIVE_CALLS = 4  # of one user, at once

_LOOKS = 8  # at buckets, to find a full one

Key = TypeVar("Key", bound=Hashable)


class Buckets(Generic[Key]):
    """One bucket for each key: `rate` units a second, and `capacity_s` seconds' worth at once.

    Rate 0: any number of units.
    """

    def __init__(self, rate: float, capacity_s: float = CAPACITY_S, now: Callable[[], float] = monotonic) -> None:
        self._unit_s = 1 / rate if rate else 0.0
        self._capacity_s = capacity_s
        self._now = now
        self._full_at: OrderedDict[Key, float] = OrderedDict()

    def take(self, key: Key, cost: float = 1) -> float:
        """Take `cost` units and return 0.0, or take nothing and return the seconds until there are
        enough.

        A cost above the whole capacity is taken from a full bucket.
        """
        if not self._unit_s:
            return 0.0
        now, buckets = self._now(), self._full_at
        full_at = buckets.get(key, 0.0)
        left_at = (full_at if full_at > now else now) + cost * self._unit_s  # when the bucket will be full again
        if left_at - now > self._capacity_s and full_at > now:
            return min(full_at - now, left_at - now - self._capacity_s)
        buckets[key] = left_at
        if full_at:
            buckets.move_to_end(key)
        elif len(buckets) > MAX_BUCKETS:
            self._forget_one(now)
        return 0.0

    def charge(self, key: Key, cost: float) -> float:
        """Take `cost` units in any case (below 0: give them back). Returns the seconds until the
        debt is paid.
        """
        if not self._unit_s:
            return 0.0
        now = self._now()
        missing_s = max(0.0, self._full_at.get(key, now) - now) + cost * self._unit_s
        if missing_s <= 0:
            self._full_at.pop(key, None)
            return 0.0
        self._full_at[key] = now + missing_s
        self._full_at.move_to_end(key)
        if len(self._full_at) > MAX_BUCKETS:
            self._forget_one(now)
        return max(0.0, missing_s - self._capacity_s)

    def __len__(self) -> int:
        return len(self._full_at)

    def _forget_one(self, now: float) -> None:
        """Forget one of the buckets that were not used for longest, a full one if possible."""
        for _ in range(_LOOKS):
            key, full_at = self._full_at.popitem(last=False)
            if full_at <= now:
                return
            self._full_at[key] = full_at
        self._full_at.popitem(last=False)


class RateLimits:
    """The buckets of users, apps, backends and addresses. Each rate is in units a second; 0: any
    number.

    `several_apps` says whether there is more than one app: a single app has no rate of its own.
    """

    def __init__(
        self,
        *,
        user: float = 0,
        app: float = 0,
        backend: float = 0,
        address: float = 0,
        several_apps: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._users: Buckets[tuple[str, str]] = Buckets(user, now=now)
        self._apps: Buckets[str] = Buckets(app, now=now)
        self._backends: Buckets[str] = Buckets(backend, now=now)
        self._addresses: Buckets[str] = Buckets(address, now=now)
        self._several_apps = several_apps
        self._expensive: Counter[tuple[str, str]] = Counter()
        self.output_buffers: OutputBuffers[tuple[str, str]] = OutputBuffers()
        self.counts_addresses = address > 0

    def take(self, app: str, user: str, cost: float) -> None:
        """Pay for a call of `user`, or of the backend when that is "".

        Raises TooManyRequests; then nothing was taken.
        """
        if not user:
            self._refuse_if(self._backends.take(app, cost), "The backend")
            return
        key = (app, user)
        if self.output_buffers.transports:
            self.output_buffers.check(key)
        if wait_s := self._users.take(key, cost):
            raise too_many("The user", wait_s)
        if self._several_apps() and (wait_s := self._apps.take(app, cost)):
            self._users.charge(key, -cost)
            self._refuse_if(wait_s, "The app")

    def charge(self, app: str, user: str, cost: float) -> None:
        """Charge a call of `user`, or of the backend when that is "", for its further cost."""
        if not user:
            self._backends.charge(app, cost)
        elif cost > 0:
            self._users.charge((app, user), cost)
            if self._several_apps():
                self._apps.charge(app, cost)

    def take_address(self, address: str, cost: float = costs.UNKNOWN) -> None:
        """Pay for a call of an address without valid credentials. Raises TooManyRequests."""
        self._refuse_if(self._addresses.take(address, cost), "This address")

    @contextmanager
    def at_once(self, app: str, user: str, cost: float) -> Iterator[None]:
        """A context for a running call. Only a few expensive calls of one user may run at once.

        Raises TooManyRequests.
        """
        key = (app, user)
        if cost < costs.EXPENSIVE or not user:
            yield
            return
        if self._expensive[key] >= MAX_EXPENSIVE_CALLS:
            raise TooManyRequests(
                f"At most {MAX_EXPENSIVE_CALLS} such calls of a user run at once; wait for the answer of one", 1
            )
        self._expensive[key] += 1
        try:
            yield
        finally:
            self._expensive[key] -= 1
            if not self._expensive[key]:
                del self._expensive[key]

    @staticmethod
    def _refuse_if(wait_s: float, who: str) -> None:
        if wait_s > 0:
            raise too_many(who, wait_s)


def too_many(who: str, wait_s: float) -> TooManyRequests:
    """The refusal of a call that may be repeated in `wait_s` seconds."""
    seconds = max(1, ceil(wait_s))
    return TooManyRequests(f"{who} asks too much at once; try again in {seconds} s", seconds)
