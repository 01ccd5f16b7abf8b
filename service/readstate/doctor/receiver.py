"""Whether the receiver of webhooks can be reached, and may be. No webhook is sent."""

import asyncio
import socket
from urllib.parse import urlsplit

from readstate.doctor.finding import Wrong
from readstate.errors import Doubt
from readstate.settings import Settings
from readstate.webhook_keys import client_tls
from readstate.webhooks.addresses import AddressRefused, check_address

WITHIN_S = 5.0
_REMEDY = "events wait until it can be; start it, or correct READSTATE_WEBHOOK_URL"


async def receiver(settings: Settings) -> str:
    """Connect to the receiver, over TLS where its URL says so, and close the connection."""
    if settings.webhook_url is None:
        return "none are sent: READSTATE_WEBHOOK_URL is not set"
    url = urlsplit(settings.webhook_url)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    try:
        async with asyncio.timeout(WITHIN_S):
            addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            if not settings.webhook_allow_private:
                for *_, address in addresses:
                    check_address(str(address[0]))
            tls = client_tls(settings.webhook_client_cert, settings.webhook_client_key)
            use_tls = url.scheme == "https"
            _, writer = await asyncio.open_connection(
                str(addresses[0][4][0]), port, ssl=tls if use_tls else None, server_hostname=host if use_tls else None
            )
            writer.close()
    except AddressRefused as refused:
        raise Wrong(f"{host} stands for an address that webhooks do not go to: {refused}") from None
    except TimeoutError:
        raise Doubt(f"{host} port {port} did not answer within {WITHIN_S:g} s; {_REMEDY}") from None
    except OSError as error:
        raise Doubt(f"{host} port {port} cannot be reached ({error}); {_REMEDY}") from None
    return f"the receiver at {host} port {port} takes connections"
