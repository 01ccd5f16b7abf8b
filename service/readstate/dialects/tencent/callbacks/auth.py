"""Authentication of callbacks: `Sign` and `RequestTime` in the URL, and `SdkAppid`.

Tencent Cloud Chat, Webhook Overview, Authentication. `Sign` is the lower-case hex SHA-256 of the
token followed by `RequestTime`. It covers neither the body nor the rest of the URL: it proves that
the sender knew the token within the last minute, and TLS protects the rest.

All callbacks of one second have the same `Sign`, and so has a callback that is sent again. So a
`Sign` may come several times. But FRESH_S after its first use only callbacks that came with it
before are taken: a URL that is read from a log later is of no use.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from time import time
from typing import Self

from msgspec import Struct

from readstate.batches import gather_batched
from readstate.dialects.base import ProblemError
from readstate.dialects.tencent.auth import parameters
from readstate.dialects.tencent.callbacks.errors import FOREIGN_APP, UNSIGNED
from readstate.dialects.tencent.webhooks import sign
from readstate.domain.read_state import ReadState
from readstate.urls import is_loopback

MAX_SKEW_S = 60
FRESH_S = 15  # Tencent waits 2 s for an answer, and its clocks differ a little
REMEMBERED_S = 2 * MAX_SKEW_S  # as long as a Sign can be in use

Headers = Iterable[tuple[bytes, bytes]]

_SECONDS = re.compile(r"\d{1,12}", re.ASCII)


class Url(
    Struct, frozen=True, rename={"app": "SdkAppid", "command": "CallbackCommand", "sign": "Sign", "time": "RequestTime"}
):
    """The parameters of the URL; "" for those that are missing."""

    app: str = ""
    command: str = ""
    sign: str = ""
    time: str = ""

    @classmethod
    def read(cls, query: bytes) -> Self:
        """Read a query string."""
        given = parameters(query)
        return cls(*(given.get(name, "") for name in cls.__struct_encode_fields__))


class CallbackAuthenticator(Struct, frozen=True):
    """Checks that callbacks come from Tencent.

    With a token, callbacks must be signed with it or with the old one. Without a token they are
    taken only when no other machine can call (the service listens on a loopback address) and the
    SDKAppID is set. The SDKAppID alone is no secret. A browser on this machine may not send them,
    since it runs the pages of others. With neither token nor SDKAppID no callback is taken.
    """

    token: str | None = None
    app: int | None = None  # SDKAppID
    loopback: bool = False
    now: Callable[[], float] = time
    old_token: str | None = None  # valid too

    def authenticate(self, url: Url, headers: Headers) -> None:
        """Raises ProblemError."""
        if self.token is not None:
            self._check_sign(url)
        elif self.app is None or not self.loopback or _is_of_a_page(headers):
            raise ProblemError(
                UNSIGNED, "Callbacks are taken when READSTATE_TENCENT_TOKEN is set, to the token in the console"
            )
        if self.app is not None and url.app != str(self.app):
            raise ProblemError(FOREIGN_APP, "SdkAppid is not the one that this service is set up for")

    def _check_sign(self, url: Url) -> None:
        given = url.sign.encode("utf-8", "surrogatepass")
        # Compared also when the time is wrong, so that the answer takes the same time.
        known = any(
            hmac.compare_digest(sign(token, url.time).encode(), given)
            for token in (self.token, self.old_token)
            if token
        )
        fresh = _SECONDS.fullmatch(url.time) is not None and abs(self.now() - int(url.time)) <= MAX_SKEW_S
        if not (known and fresh):
            raise ProblemError(
                UNSIGNED,
                "Sign must be the SHA-256 of the token and RequestTime, and RequestTime within 60 seconds of now",
            )

    async def check_fresh(self, read_state: ReadState, app: str, url: Url, command: str, body: bytes) -> None:
        """Refuse a new callback with a Sign that was first used long ago, at any worker.

        Raises ProblemError, and what the store raises.
        """
        if self.token is None:
            return
        content = hashlib.sha256(f"{command}\n".encode("utf-8", "surrogatepass") + body).hexdigest()
        # Both windows have the same length, and begin when their name is first seen.
        sign, content_too = await gather_batched(
            lambda what: read_state.throttle.hit_rate_limit(
                app=app, what=f"tencent sign:{what}", limit=1, window_ms=REMEMBERED_S * 1000
            ),
            (url.sign, f"{url.sign}:{content}"),
        )
        if content_too.window_ends_ms - sign.window_ends_ms > FRESH_S * 1000:
            raise ProblemError(UNSIGNED, f"Sign was first used more than {FRESH_S} seconds ago, for something else")


def _is_of_a_page(headers: Headers) -> bool:
    """Whether a browser may have sent this for a page.

    Then it names the page's origin, or the host that the page believes to be talking to.
    """
    return any(name == b"origin" or (name == b"host" and not is_loopback(_host(value))) for name, value in headers)


def _host(header: bytes) -> str:
    """The name or address in a Host header, without the port."""
    text = header.decode("latin-1")
    if text.startswith("["):
        host, bracket, _ = text[1:].partition("]")
        return host if bracket else ""
    return text.partition(":")[0]
