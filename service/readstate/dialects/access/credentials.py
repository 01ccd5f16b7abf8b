"""Checks tokens and keys of callers, and slows down callers that send wrong ones. The same in every
dialect.

By address: after MISSES_AT_ONCE wrong tokens one is allowed per second. Others get 429, and the
store is not asked. By app: while many wrong tokens come from any addresses, look-ups of unknown
ones are delayed, not refused, so that an attacker cannot lock others out. A token that was not
found is treated as wrong for a moment.

A good API key, a token that was issued here, and a token that was good here before are accepted
however many wrong ones came from their address, because a proxy shares one address among many
users.
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
MAX_DELAYED = 100  # waiting look-ups of an app
WRONG_FOR_S = 1.0  # for how long a token that was not found is treated as wrong
MAX_REMEMBERED = 50_000  # good tokens, and as many wrong ones, in this worker, as digests

_Known = tuple[str, bytes]  # app, digest of a token


class Credentials:
    """Looks up tokens that a worker does not know, and counts wrong credentials."""

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
        """Count a call without credentials, or with expired ones. Raises TooManyRequests."""
        self._rate_limits.take_address(address)

    def missed(self, address: str) -> None:
        """Count a wrong key or signature.

        Raises TooManyRequests when there were too many before it.
        """
        self._rate_limits.take_address(address)
        if wait_s := self._misses.take(address):
            raise too_many("This address", wait_s)

    async def session(self, apps: Sequence[App], token: str, address: str) -> Session | None:
        """The session of `token` in the first of `apps` where it is good.

        None when it is good in none of them; that is counted. Raises TooManyRequests, and what the
        store raises.
        """
        return next(iter(await self.sessions(apps, token, address)), None)

    async def sessions(self, apps: Sequence[App], token: str, address: str) -> list[Session]:
        """The same for all of `apps`: a custom token may be bound in several apps."""
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
        """Look a custom token up in `apps`. A token that is new here counts as wrong until it is
        found.
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
        # A token that was bound through this worker since then is found.
        if until_s > self._now() and bindings == self._tokens.bindings:
            return None
        is_guessed_at = not trusted and await self._wait_turn(app)
        bindings = self._tokens.bindings
        session = await self._tokens.look_up(app, token)
        if session is None:
            self._good.pop(key, None)
            # In quiet times wrong tokens are not remembered, so that a token that another worker
            # binds is good here at once. A token that is good in another app is remembered: it does
            # not count as wrong, and must not cost a look-up in each call.
            if is_guessed_at or was_ours:
                self._wrong[key] = (self._now() + WRONG_FOR_S, bindings)
            return None
        self._good[key] = None
        if not trusted:
            self._app_misses.charge(app, -1)
        return session

    async def _wait_turn(self, app: str) -> bool:
        """Wait for the look-ups before this one. Returns whether it had to wait.

        Raises TooManyRequests when too many are waiting already.
        """
        delay_s = self._app_misses.charge(app, 1)
        if delay_s <= 0:
            return False
        if delay_s > MAX_DELAY_S:
            self._app_misses.charge(app, -1)  # no call waits longer than MAX_DELAY_S
        if self._delayed[app] >= MAX_DELAYED:
            raise too_many("This app", MAX_DELAY_S)
        self._delayed[app] += 1
        try:
            await self._sleep(min(delay_s, MAX_DELAY_S))
        finally:
            self._delayed[app] -= 1
        return True
