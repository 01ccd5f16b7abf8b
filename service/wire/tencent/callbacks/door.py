"""Who may call: `Sign` and `RequestTime` in the URL, and `SdkAppid` (Tencent Cloud Chat, Webhook Overview, Authentication).

`Sign` is the lower-case hex SHA-256 of the token followed by `RequestTime`. It covers neither the body nor the rest of the URL: it proves
that the sender knew the token within the last minute, and the rest is for TLS.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from ipaddress import ip_address
from time import time
from typing import Self

from msgspec import Struct

from service.wire.tencent.query import parameters

MAX_SKEW_S = 60

_SECONDS = re.compile(r"\d{1,12}", re.ASCII)


class Url(Struct, frozen=True, rename={"app": "SdkAppid", "command": "CallbackCommand", "sign": "Sign", "time": "RequestTime"}):
    """What the sender appended to the address; "" where it did not."""

    app: str = ""
    command: str = ""
    sign: str = ""
    time: str = ""

    @classmethod
    def read(cls, query: bytes) -> Self:
        """Read a query string."""
        given = parameters(query)
        return cls(*(given.get(name, "") for name in cls.__struct_encode_fields__))


class Unsigned(Exception):
    """The sender has not proved who it is. The message says what to do."""


class ForeignApp(Exception):
    """The callback is about another app."""


class Door(Struct, frozen=True):
    """Lets callbacks in.

    With a token, only those that are signed with it or with the old one. Without one, only where nobody but this machine can call
    (the service listens on a loopback address) and the app is known, since an SDKAppID is no secret. With neither, none.
    """

    token: str | None = None
    app: int | None = None  # SDKAppID
    loopback: bool = False
    now: Callable[[], float] = time
    old_token: str | None = None  # good as well

    def check(self, url: Url) -> None:
        """Raises Unsigned, ForeignApp."""
        if self.token is not None:
            self._check_sign(url)
        elif self.app is None or not self.loopback:
            raise Unsigned("Callbacks are taken when READSTATE_TENCENT_TOKEN is set, to the token in the console")
        if self.app is not None and url.app != str(self.app):
            raise ForeignApp("SdkAppid is not the one that this service is set up for")

    def _check_sign(self, url: Url) -> None:
        given = url.sign.encode("utf-8", "surrogatepass")
        # Compared whatever the time is, so that the answer takes as long.
        known = any(hmac.compare_digest(sign(token, url.time).encode(), given) for token in (self.token, self.old_token) if token)
        fresh = _SECONDS.fullmatch(url.time) is not None and abs(self.now() - int(url.time)) <= MAX_SKEW_S
        if not (known and fresh):
            raise Unsigned("Sign must be the SHA-256 of the token and RequestTime, and RequestTime within 60 seconds of now")


def sign(token: str, request_time: str) -> str:
    """The signature of a callback sent at `request_time` (Unix seconds)."""
    return hashlib.sha256(f"{token}{request_time}".encode("utf-8", "surrogatepass")).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a service that listens on `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
