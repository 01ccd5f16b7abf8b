"""How many calls a user may make of one route: so many in each minute, counted over all workers.

The original counts by address, ten a minute, and ordinary users of it run into that; here it is by user, and far more unless
READSTATE_ROCKETCHAT_RATE_LIMIT says otherwise. Headers and body are the original's; `Retry-After` is an addition.
"""

import time

from readstate.dialects.rocketchat.errors import SLOW_DOWN, TOO_MANY_REQUESTS, Refused
from readstate.dialects.rocketchat.reply import Headers
from readstate.dialects.services import Services
from readstate.domain.identity import Session

WINDOW_MS = 60_000


async def count(services: Services, session: Session, operation: str, limit: int) -> Headers:
    """Count one call of at most `limit` (0: any number); the headers that say where the count stands. Raises Refused for one too many."""
    if limit == 0:
        return ()
    left, until_ms = await services.read_state.take(
        app=session.app, what=f"{operation}:{session.user}", limit=limit, window_ms=WINDOW_MS
    )
    headers = (
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-remaining", b"%d" % max(0, left)),
        (b"x-ratelimit-reset", b"%d" % until_ms),
    )
    if left < 0:
        wait_s = max(1, -(-(until_ms - time.time_ns() // 1_000_000) // 1000))
        raise Refused(TOO_MANY_REQUESTS, SLOW_DOWN.format(wait_s), (*headers, (b"retry-after", b"%d" % wait_s)))
    return headers
