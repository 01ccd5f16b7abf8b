"""Joins the parts of a deliverer of webhooks, as `app.py` and `parts.py` do for a worker."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from functools import partial

from readstate.dialects.tencent.webhooks import webhook_form
from readstate.domain.read_state import ReadState
from readstate.process.stopping import stop_signals
from readstate.settings import Settings, SettingsError
from readstate.store.events import RedisEvents
from readstate.store.executor import Executor
from readstate.store.redis_store import redis_store
from readstate.tracing import traces_or_warning
from readstate.webhook_keys import client_tls
from readstate.webhooks.deliverer import Deliverer
from readstate.webhooks.forms import DialectForm, choice_of
from readstate.webhooks.sender import Sender
from readstate.webhooks.standard import Signer, Standard

HOUR_S = 3600.0


def check_receiver(settings: Settings) -> None:
    """Raises SettingsError when there is no receiver."""
    if settings.webhook_url is None:
        raise SettingsError("READSTATE_WEBHOOK_URL is not set: there is no receiver of webhooks")


async def deliver(executor: Executor, settings: Settings) -> None:
    """Deliver webhooks until told to stop; deliveries in progress are finished first.

    There must be a receiver. Deliveries are traced if the environment asks for traces.
    """
    traces = traces_or_warning(os.environ)
    if traces is None:
        await _deliver(executor, settings, Sender)
        return
    from readstate.tracing.webhooks import TracedSender

    traces.begin()
    try:
        await _deliver(executor, settings, partial(TracedSender, traces))
    finally:
        await traces.end()


async def _deliver(executor: Executor, settings: Settings, make_sender: Callable[..., Sender]) -> None:
    assert settings.webhook_url is not None
    stop = asyncio.Event()
    for signum in stop_signals():
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with make_sender(
        settings.webhook_url,
        allow_private=settings.webhook_allow_private,
        tls=client_tls(settings.webhook_client_cert, settings.webhook_client_key),
    ) as sender:
        read_state = redis_store(executor, **settings.bounds())
        native, dialect = forms(read_state, settings)
        deliverer = Deliverer(
            RedisEvents(executor),
            choice_of(settings.webhook_form, native, dialect),
            sender,
            target=hashlib.sha256(settings.webhook_url.encode()).hexdigest(),
            retry_s=settings.webhook_retry_hours * HOUR_S,
        )
        running = [deliverer.run(stop)]
        if dialect is not None and settings.webhook_form != native.name:

            def may_send() -> bool:
                return not (deliverer.is_refused or deliverer.is_paused)

            running.append(dialect.run(sender.send, may_send, stop))
        await asyncio.gather(*running)


def forms(read_state: ReadState, settings: Settings) -> tuple[Standard, DialectForm | None]:
    """The forms of an event: the native one, and Tencent's when a Tencent app is set up."""
    if settings.webhook_token is None:
        raise SettingsError("READSTATE_WEBHOOK_TOKEN must be set: it signs the webhooks")
    sign_headers = Signer(settings.webhook_token, settings.webhook_old_token).headers
    return Standard(sign_headers), webhook_form(settings, read_state, sign_headers)
