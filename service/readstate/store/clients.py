"""Plain clients of redis-py, for questions that are not asked often."""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

TIMEOUT_S = 5.0

Client = Any  # redis-py types its commands for blocking and asyncio use at once, which fits neither


def client_of(url: str, timeout_s: float = TIMEOUT_S) -> Client:
    """A plain client of one server, whose replies are text; the caller closes it."""
    client: Client = Redis.from_url(
        url,
        decode_responses=True,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    # As the server sends it: redis-py's own parser does not take decoded replies.
    client.response_callbacks["CLUSTER SLOTS"] = lambda reply, **_: reply
    return client
