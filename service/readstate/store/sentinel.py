"""A single server that Sentinels watch: its primary is found by the name of the service.

    redis+sentinel://[user:password@]host:port[,host:port...]/service[?options]

User and password are those of the server. `sentinel_username` and `sentinel_password` among the
options are those of the Sentinels. `rediss+sentinel://` means TLS, to both. The Sentinels are asked
whenever a connection is made.
"""

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from msgspec import Struct
from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as NotFound
from redis.exceptions import RedisError

from readstate.store.clients import client_of
from readstate.store.urls import with_address

SUFFIX = "+sentinel"
ASK_S = 1.0  # one Sentinel
_OF_SENTINELS = ("sentinel_username", "sentinel_password")


class Service(Struct, frozen=True):
    """What a URL says of a watched service."""

    name: str
    sentinels: tuple[str, ...]  # the URL of each
    url: str  # of the primary, with any address

    async def primary(self) -> tuple[str, int]:
        """Host and port of the present primary. Raises NotFound when no Sentinel tells it."""
        why = "they know of no such service"
        for sentinel in self.sentinels:
            try:
                if address := await _ask(sentinel, self.name):
                    return address
            except (RedisError, OSError) as error:
                why = str(error)
        raise NotFound(f"the Sentinels name no primary of {self.name}: {why}")


def service_of(url: str) -> Service | None:
    """The service that `url` names; None when it names a server."""
    parts = urlsplit(url)
    scheme = parts.scheme.removesuffix(SUFFIX)
    if scheme == parts.scheme:
        return None
    login, at, hosts = parts.netloc.rpartition("@")
    options = parse_qsl(parts.query)
    of_server = urlencode([one for one in options if one[0] not in _OF_SENTINELS])
    user, password = (quote(dict(options).get(name, ""), safe="") for name in _OF_SENTINELS)
    own = f"{user}:{password}@" if password else ""
    first, *_ = addresses = hosts.split(",")
    return Service(
        name=parts.path.strip("/"),
        sentinels=tuple(urlunsplit((scheme, own + address, "", of_server, "")) for address in addresses),
        url=urlunsplit((scheme, login + at + first, "", of_server, "")),
    )


async def present_url(url: str) -> str:
    """`url`, or where it names a service, the URL of its present primary. Raises NotFound."""
    service = service_of(url)
    return with_address(service.url, *await service.primary()) if service else url


def connection_class(service: Service) -> type[Connection]:
    """A connection that goes to the present primary of the service."""
    base: Any = SSLConnection if service.url.startswith("rediss:") else Connection

    class ToPrimary(base):  # type: ignore[misc]
        async def connect(self) -> None:
            self.host, self.port = await service.primary()
            await super().connect()

    return ToPrimary


async def _ask(sentinel: str, name: str) -> tuple[str, int] | None:
    async with client_of(sentinel, ASK_S) as client:
        reply = await client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    return (str(reply[0]), int(reply[1])) if reply else None
