"""Tokens and keys that callers send: good ones pass, and who sends wrong ones is slowed down.

The same in every dialect.

By address: after MISSES_AT_ONCE wrong ones, one a second; beyond it 429, and the store is not
asked. By app: while many wrong tokens come from wherever, looking unknown ones up is delayed and
not refused, so that who guesses cannot lock others out; and what was not found is believed to be
wrong for a moment.

A good API key, a token that was issued here and one that was good here before pass however many
wrong ones came from their address: behind a proxy the address is everybody's.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from cachetools import FIFOCache

from readstate.dialects.access.rate_limits import Buckets, RateLimits, too_many
from readstate.domain.identity import App, Session
from readstate.domain.tokens import Tokens
from readstate.errors import ReadStateError

MISSES_PER_S = 1.0  # of an address
MISSES_AT_ONCE = 20
APP_MISSES_PER_S = 20.0  # of an app, from all addresses; beyond it look-ups are delayed
APP_MISSES_AT_ONCE = 200
MAX_DELAY_S = 2.0
MAX_DELAYED = 100  # look-ups of an app that wait
WRONG_FOR_S = 1.0  # so long a token that was not found meanwhile is believed to be wrong
MAX_REMEMBERED = 50_000  # tokens that were good, and as many that were wrong; of this worker, as digests

_Known = tuple[str, bytes]  # app, digest of a token


class Credentials:
    """Looks up what a worker does not know, and counts what was wrong."""

    def __init__(
        self,
        tokens: Tokens,
        rate_limits: RateLimits,
        now: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tokens = tokens
        self._rate_limits = rate_limits
        self._now = now
        self._sleep = sleep
        counted = rate_limits.counts_addresses
        self._misses: Buckets[str] = Buckets(MISSES_PER_S if counted else 0, MISSES_AT_ONCE / MISSES_PER_S, now)
        self._app_misses: Buckets[str] = Buckets(
            APP_MISSES_PER_S if counted else 0, APP_MISSES_AT_ONCE / APP_MISSES_PER_S, now
        )
        self._delayed: Counter[str] = Counter()
        self._good: FIFOCache[_Known, None] = FIFOCache(MAX_REMEMBERED)
        self._wrong: FIFOCache[_Known, tuple[float, int]] = FIFOCache(MAX_REMEMBERED)

    def absent(self, address: str) -> None:
        """A call came without credentials, or with such as have ended. Raises TooManyRequests."""
        self._rate_limits.take_address(address)

    def missed(self, address: str) -> None:
        """A key or a signature was wrong.

        Raises TooManyRequests when there were too many before it.
        """
        self._rate_limits.take_address(address)
        if wait_s := self._misses.take(address):
            raise too_many("This address", wait_s)

    async def session(self, apps: Sequence[App], token: str, address: str) -> Session | None:
        """What `token` stands for in the first of `apps` where it is good; None, and counted, when
        in none.

        Raises TooManyRequests, and what the store raises.
        """
        return next(iter(await self.sessions(apps, token, address)), None)

    async def sessions(self, apps: Sequence[App], token: str, address: str) -> list[Session]:
        """The same for all of `apps`: a custom token may be bound in several."""
        known = {app.app: self._tokens.known(app.app, token) for app in apps}
        unknown = [app for app, session in known.items() if session is None]
        if unknown:
            known |= await self._look_up(unknown, token, address, was_ours=len(unknown) < len(known))
        good = [session for session in known.values() if session is not None and self._tokens.still_valid(session)]
        if not good:
            self.absent(address)
        return good

    async def _look_up(
        self, apps: Sequence[str], token: str, address: str, *, was_ours: bool
    ) -> dict[str, Session | None]:
        """Ask for a custom token in `apps`.

        One that is new here is counted as wrong until it is found.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        trusted = was_ours or any((app, digest) in self._good for app in apps)
        if not trusted and (wait_s := self._misses.take(address)):
            raise too_many("This address", wait_s)
        try:
            found = await asyncio.gather(
                *(self._ask(app, token, digest, trusted=trusted, was_ours=was_ours) for app in apps)
            )
        except ReadStateError:
            if not trusted:
                self._misses.charge(address, -1)
            raise
        if not trusted and any(found):
            self._misses.charge(address, -1)
        return dict(zip(apps, found, strict=True))

    async def _ask(self, app: str, token: str, digest: bytes, *, trusted: bool, was_ours: bool) -> Session | None:
        key = (app, digest)
        until_s, bindings = self._wrong.get(key, (0.0, 0))
        # What was bound through this worker since then is not hidden.
        if until_s > self._now() and bindings == self._tokens.bindings:
            return None
        is_guessed_at = not trusted and await self._wait_turn(app)
        bindings = self._tokens.bindings
        session = await self._tokens.look_up(app, token)
        if session is None:
            self._good.pop(key, None)
            # In quiet times nothing is remembered: a token that is bound elsewhere counts at once
            # here as well. One that is good in another app is not counted, so it must not cost a
            # question a call.
            if is_guessed_at or was_ours:
                self._wrong[key] = (self._now() + WRONG_FOR_S, bindings)
            return None
        self._good[key] = None
        if not trusted:
            self._app_misses.charge(app, -1)
        return session

    async def _wait_turn(self, app: str) -> bool:
        """Wait for as long as is owed by those before; whether that was so.

        Raises TooManyRequests when too many wait already.
        """
        delay_s = self._app_misses.charge(app, 1)
        if delay_s <= 0:
            return False
        if delay_s > MAX_DELAY_S:
            self._app_misses.charge(app, -1)  # no call waits for longer, so no more is owed
        if self._delayed[app] >= MAX_DELAYED:
            raise too_many("This app", MAX_DELAY_S)
        self._delayed[app] += 1
        try:
            await self._sleep(min(delay_s, MAX_DELAY_S))
        finally:
            self._delayed[app] -= 1
        return True
