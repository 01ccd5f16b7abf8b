"""What a running service consists of: it is opened in order, and closed in the opposite order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct

from readstate import metrics
from readstate.dialects.access.credentials import Credentials
from readstate.dialects.access.rate_limits import RateLimits
from readstate.dialects.base import Services
from readstate.dialects.people import People
from readstate.domain.client_rules import ClientRules
from readstate.domain.durability import Durability
from readstate.domain.identity import Apps
from readstate.domain.notices import Notices
from readstate.domain.read_state import ReadState
from readstate.domain.tokens import POLL_S, Tokens
from readstate.errors import Fault, ReadStateError
from readstate.settings import Settings
from readstate.store.apps import AppRegistry
from readstate.store.confirming import RedisConfirmation
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.failovers import Failovers
from readstate.store.health import StoreHealth, WriteHealth
from readstate.store.layout import StoreLayout
from readstate.store.notices import RedisNotices
from readstate.store.personal_data import RedisPersonalData
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.server_check import ServerRefused
from readstate.store.tokens import RedisTokens
from readstate.store.users import RedisUsers
from readstate.store.workers import Workers, shared_keys
from readstate.tasks import cancel_and_wait, repeat

logger = logging.getLogger(__name__)

READY_WITHIN_S = 2.0
STORE_EVERY_S = 10.0

Connect = Callable[[str], Awaitable[Executor]]  # from the URL of a store to the way there


class Parts(Struct, frozen=True):
    """What a running service consists of."""

    services: Services
    notices: Notices
    why_not_ready: Callable[[], Awaitable[str]]
    workers: Workers
    health: StoreHealth
    layout: StoreLayout


@asynccontextmanager
async def open_parts(settings: Settings, *, connect: Connect = connect) -> AsyncIterator[Parts]:
    """All parts, on the store that `connect` reaches; they are closed at the end of the block.

    Raises Fault when the store cannot be reached now.
    """
    if settings.redis_url is None:
        raise ValueError(
            "redis_url must be set: an embedded server is started by `readstate serve`, before the workers"
        )
    async with AsyncExitStack() as stack:
        executor = await connect(str(settings.redis_url))
        stack.push_async_callback(executor.close)
        layout = StoreLayout(executor)
        await layout.begin()
        store = redis_store(executor, **settings.bounds(), events=settings.webhook_url is not None)
        store.outbox.start()
        stack.push_async_callback(store.outbox.close)
        apps = AppRegistry(
            executor,
            client_key=settings.client_key,
            api_key=settings.api_key,
            old_client_key=settings.old_client_key,
            old_api_key=settings.old_api_key,
        )
        services = _services(settings, executor, store, apps)
        health = StoreHealth(executor)
        await refresh(apps, services.tokens)
        workers = Workers(executor, shared_keys(settings))
        await workers.begin()
        stack.push_async_callback(_forget, workers)
        await health.look()
        for keep in (
            workers.keep_noting(),
            layout.keep_migrating(),
            Failovers(executor, store.outbox).keep_reconciling(),
            keep_refreshing(apps, services.tokens, executor),
            repeat(health.look, STORE_EVERY_S, logger, "the store could not be looked at", at_once=False),
        ):
            stack.push_async_callback(cancel_and_wait, asyncio.create_task(keep))
        notices = RedisNotices(executor, settings.redis_url)
        notices.start()
        stack.push_async_callback(notices.stop)
        yield Parts(services, notices, lambda: why_not_ready(executor, health.writes, layout), workers, health, layout)


def _services(settings: Settings, executor: Executor, store: RedisStore, apps: Apps) -> Services:
    directory = RedisUsers(executor)
    tokens = Tokens(
        RedisTokens(executor),
        apps,
        secret=settings.token_secret,
        old_secret=settings.old_token_secret,
        life_days=settings.token_life_days,
    )
    rate_limits = RateLimits(
        user=settings.user_rate_limit,
        app=settings.app_rate_limit,
        backend=settings.backend_rate_limit,
        address=settings.address_rate_limit,
        several_apps=apps.several,
    )
    return Services(
        **{name: getattr(store, name) for name in ReadState.__struct_fields__},
        directory=directory,
        apps=apps,
        tokens=tokens,
        people=People(directory),
        personal_data=RedisPersonalData(executor, store.outbox, store.bounds),
        rate_limits=rate_limits,
        credentials=Credentials(tokens, rate_limits),
        client_rules=ClientRules(
            settings.rooms_open, settings.invited_must_accept, settings.client_tag_limit, settings.client_people_limit
        ),
        confirmation=RedisConfirmation(executor, Durability(settings.durability), settings.durability_within_ms),
        lastread_badge_scope=settings.lastread_badge_scope,
    )


async def _forget(workers: Workers) -> None:
    """Sign this worker off. A store that is away forgets it after a while."""
    with contextlib.suppress(Fault):
        await workers.withdraw()


async def why_not_ready(executor: Executor, writes: WriteHealth, layout: StoreLayout) -> str:
    """Why requests cannot be served now; "" when they can.

    The store does not answer, refuses writes, or has a later layout. A full store is ready: it
    answers reads and deletes. Nothing is loaded or written.
    """
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            refusal = await writes.check()
            if refusal and not writes.is_full():
                return f"the store refuses writes: {refusal}"
            await layout.look()
    except ServerRefused as error:
        return str(error)
    except TimeoutError:
        return executor.why_away() or f"the store did not answer within {READY_WITHIN_S:g} s"
    except ReadStateError as error:
        return f"the store cannot be reached: {error}"
    return ""


async def refresh(apps: AppRegistry, tokens: Tokens) -> None:
    """Read which apps exist and which tokens are revoked. Raises Fault."""
    await apps.refresh()
    await tokens.refresh_revocations()


async def keep_refreshing(apps: AppRegistry, tokens: Tokens, executor: Executor) -> None:
    """Every POLL_S seconds: refresh, and count the round trips. Until cancelled."""
    counted = 0

    async def look() -> None:
        nonlocal counted
        metrics.ROUND_TRIPS.inc(executor.round_trips - counted)
        counted = executor.round_trips
        await refresh(apps, tokens)

    await repeat(look, POLL_S, logger, "apps and revocations could not be looked at", at_once=False)
