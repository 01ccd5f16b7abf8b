"""Authentication of calls (Tencent Cloud Chat, RESTful API Overview), by parameters of the URL.

Checked in this order: contenttype, sdkappid, identifier and usersig, the UserSig itself,
administrators, frequency; the body comes after them.
"""

from collections.abc import Callable, Mapping
from time import time
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from readstate.dialects.base import Services, operation_of
from readstate.dialects.http.body import until_gone
from readstate.dialects.http.client_address import client_address
from readstate.dialects.tencent import alerts, errors
from readstate.dialects.tencent.operation import Operation
from readstate.dialects.tencent.usersig import UserSigs
from readstate.domain.read_state import ReadState
from readstate.errors import TooManyRequests

RATE_WINDOW_MS: Final = 1000
MAX_PARAMETERS = 32  # of a URL


class TencentApp(Struct, frozen=True, kw_only=True):
    """Tencent's app as it is set up here. Without `sdkappid` or `key` no call passes."""

    app: str  # our name of the app
    sdkappid: int | None = None
    key: str | None = None
    old_key: str | None = None  # valid too
    admins: frozenset[str] = frozenset()
    rate_limit: int = 0  # calls of one command in a second; 0: any number


class Authenticator:
    """Checks that calls come from the app's administrators, and counts them."""

    def __init__(self, tencent_app: TencentApp, now: Callable[[], float] = time) -> None:
        self._tencent_app = tencent_app
        self._usersigs: UserSigs | None = None
        if tencent_app.sdkappid is not None and tencent_app.key is not None:
            self._usersigs = UserSigs(
                sdkappid=tencent_app.sdkappid, key=tencent_app.key, old_key=tencent_app.old_key, now=now
            )

    @property
    def app(self) -> str:
        return self._tencent_app.app

    def authenticate(self, query: Mapping[str, str]) -> None:
        """Check that a call comes from an administrator of the app.

        Raises ProblemError for the first thing that is wrong.
        """
        usersigs = self._usersigs_of(query)
        identifier, usersig = query.get("identifier"), query.get("usersig")
        if not identifier or usersig is None:
            raise errors.ProblemError(errors.SIGNATURE_ABSENT)
        usersigs.check(usersig, identifier)
        if identifier not in self._tencent_app.admins:
            raise errors.ProblemError(errors.NOT_ADMIN)

    async def count(self, read_state: ReadState, command: str) -> None:
        """Count a call of `command`.

        Raises ProblemError above the limit, and what the store raises.
        """
        limit = self._tencent_app.rate_limit
        if limit:
            hit = await read_state.throttle.hit_rate_limit(
                app=self.app, what=f"tencent:{command}", limit=limit, window_ms=RATE_WINDOW_MS
            )
            if not hit.allowed:
                raise errors.ProblemError(errors.TOO_OFTEN, retry_after_s=1)
            if limit - hit.left == alerts.nearly(limit):
                await alerts.note(read_state, self.app, command)

    def _usersigs_of(self, query: Mapping[str, str]) -> UserSigs:
        """What checks the signatures of the app that `query` names."""
        if query.get("contenttype", "json").lower() != "json":
            raise errors.ProblemError(errors.UNREADABLE_REQUEST, "contenttype must be json")
        sdkappid = query.get("sdkappid", "")
        if not (sdkappid.isascii() and sdkappid.isdecimal()):
            raise errors.ProblemError(errors.APP_MISSING)
        if self._usersigs is None or sdkappid.lstrip("0") != str(self._tencent_app.sdkappid):
            raise errors.ProblemError(errors.APP_UNKNOWN)
        return self._usersigs


class AuthMiddleware:
    """The middleware of this dialect's routes."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, services: Callable[[], Services]) -> None:
        self._app = app
        self._authenticator = authenticator
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked: Any = scope
        operation = operation_of(asked)
        if isinstance(operation, Operation):
            asked["services"], asked["auth"] = services, app = self._services(), self._authenticator.app
            self._check(services, asked)
            services.rate_limits.take(app, "", operation.cost)
            await self._authenticator.count(services, operation.name)
        await self._app(scope, until_gone(receive), send)

    def _check(self, services: Services, scope: Any) -> None:
        try:
            self._authenticator.authenticate(parameters(scope["query_string"]))
        except errors.ProblemError as error:
            if error.problem not in errors.WRONG_SIGNATURES:
                services.credentials.absent(client_address(scope))
                raise
            # Only bad signatures count: a good one passes, however many bad ones came from its
            # address.
            try:
                services.credentials.missed(client_address(scope))
            except TooManyRequests as refusal:
                raise errors.ProblemError(errors.TOO_MANY_FAILURES, retry_after_s=refusal.retry_after_s) from None
            raise


def parameters(query: bytes) -> dict[str, str]:
    """The parameters of a URL, percent-decoded once. The first of equal names counts.

    A query with too many parameters counts as empty.
    """
    try:
        given = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return {}
    return dict(reversed(given))
