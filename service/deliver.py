"""`readstate deliver`: the one place where the parts of a deliverer are joined, as `app.py` joins those of a worker."""

import asyncio
import hashlib
import signal

from service.domain.read_state import ReadState
from service.settings import Settings, SettingsError
from service.store.connect import Caller
from service.store.directory import FIRST_APP
from service.store.events import RedisEvents
from service.store.redis_store import RedisStore
from service.webhooks.choice import Choice, choice_of
from service.webhooks.deliverer import Deliverer
from service.webhooks.sender import Sender
from service.webhooks.signing import Signer
from service.webhooks.standard import Standard
from service.webhooks.tencent import Tencent
from service.webhooks.tls import client_tls

HOUR_S = 3600.0


async def deliver(caller: Caller, settings: Settings) -> None:
    """Deliver webhooks until SIGTERM or SIGINT; what is on the way then is finished first. Raises SettingsError."""
    if settings.webhook_url is None:
        raise SettingsError("READSTATE_WEBHOOK_URL is not set: there is nobody to deliver webhooks to")
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with Sender(
        settings.webhook_url,
        allow_private=settings.webhook_allow_private,
        tls=client_tls(settings.webhook_client_cert, settings.webhook_client_key),
    ) as sender:
        deliverer = Deliverer(
            RedisEvents(caller),
            choice(caller, settings),
            sender,
            target=hashlib.sha256(settings.webhook_url.encode()).hexdigest(),
            retry_s=settings.webhook_retry_hours * HOUR_S,
        )
        await deliverer.run(stop)


def choice(caller: Caller, settings: Settings) -> Choice:
    """The forms that the settings ask for."""
    token = settings.webhook_token or settings.tencent_token
    if token is None:
        raise SettingsError("READSTATE_WEBHOOK_TOKEN must be set: it signs the webhooks")
    signer = Signer(token, settings.webhook_old_token)
    tencent = None
    if settings.tencent_sdkappid is not None:
        read_state = ReadState(RedisStore(caller, fanout_limit=settings.fanout_limit, message_history=settings.message_history))
        tencent = Tencent(read_state, app=FIRST_APP, sdkappid=settings.tencent_sdkappid, token=token, signer=signer)
    return choice_of(settings.webhook_form, Standard(signer), tencent)
