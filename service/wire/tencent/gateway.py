"""Who may call (Tencent Cloud Chat, RESTful API Overview): the parameters of the URL, in the order in which they are checked.

contenttype, sdkappid, identifier and usersig, the UserSig itself, administrators, frequency; the body comes after them.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from time import monotonic, time
from typing import Any, Final

from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec import Struct

from service.domain import alerts
from service.domain.read_state import ReadState
from service.wire.body import until_gone
from service.wire.desk import Desk
from service.wire.tencent.codes import (
    APP_MISSING,
    APP_UNKNOWN,
    NOT_ADMIN,
    SIGNATURE_ABSENT,
    TOO_MANY_FAILURES,
    TOO_OFTEN,
    UNREADABLE_REQUEST,
    Refused,
)
from service.wire.tencent.query import parameters
from service.wire.tencent.usersig import UserSigs

MAX_FAILURES: Final = 100  # of one address in FAILURES_WINDOW_S
FAILURES_WINDOW_S: Final = 60.0
MAX_ADDRESSES: Final = 10_000  # remembered for their failures
RATE_WINDOW_MS: Final = 1000


class Access(Struct, frozen=True, kw_only=True):
    """Who may call. Without `sdkappid` or `key` nobody may."""

    app: str  # our name of the app
    sdkappid: int | None = None
    key: str | None = None
    old_key: str | None = None  # good as well
    admins: frozenset[str] = frozenset()
    rate_limit: int = 0  # calls of one command in a second; 0: any number


class Failures:
    """Bad signatures by the address that they came from. Of this worker alone; whose window began first is forgotten first."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def are_too_many(self, address: str) -> bool:
        """Count one more; whether there were MAX_FAILURES before it in this window."""
        now = self._now()
        ends, count = self._windows.get(address, (0.0, 0))
        if now >= ends:
            ends, count = now + FAILURES_WINDOW_S, 0
            self._windows.pop(address, None)
        self._windows[address] = (ends, count + 1)
        if len(self._windows) > MAX_ADDRESSES:
            self._windows.popitem(last=False)
        return count >= MAX_FAILURES


class Gateway:
    """Lets the app's administrators in."""

    def __init__(self, access: Access, now: Callable[[], float] = time) -> None:
        self._access = access
        self._usersigs: UserSigs | None = None
        if access.sdkappid is not None and access.key is not None:
            self._usersigs = UserSigs(sdkappid=access.sdkappid, key=access.key, old_key=access.old_key, now=now)
        self._failures = Failures()

    @property
    def app(self) -> str:
        return self._access.app

    async def admit(self, read_state: ReadState, command: str, query: Mapping[str, str], address: str) -> None:
        """Let a call pass, and count it. Raises Refused for the first thing that is wrong, and what the store raises."""
        usersigs = self._usersigs_of(query)
        identifier, usersig = query.get("identifier"), query.get("usersig")
        if not identifier or usersig is None:
            raise Refused(SIGNATURE_ABSENT)
        self._verify(usersigs, usersig, identifier, address)
        if identifier not in self._access.admins:
            raise Refused(NOT_ADMIN)
        limit = self._access.rate_limit
        if limit:
            left, _ = await read_state.take(app=self.app, what=f"tencent:{command}", limit=limit, window_ms=RATE_WINDOW_MS)
            if left < 0:
                raise Refused(TOO_OFTEN)
            if limit - left == alerts.nearly(limit):
                await alerts.note(read_state, self.app, command)

    def _usersigs_of(self, query: Mapping[str, str]) -> UserSigs:
        """What checks the signatures of the app that `query` names."""
        if query.get("contenttype", "json").lower() != "json":
            raise Refused(UNREADABLE_REQUEST, "contenttype must be json")
        sdkappid = query.get("sdkappid", "")
        if not (sdkappid.isascii() and sdkappid.isdecimal()):
            raise Refused(APP_MISSING)
        if self._usersigs is None or sdkappid.lstrip("0") != str(self._access.sdkappid):
            raise Refused(APP_UNKNOWN)
        return self._usersigs

    def _verify(self, usersigs: UserSigs, usersig: str, identifier: str, address: str) -> None:
        # A good signature passes however many bad ones came from its address: behind a proxy the address is everybody's.
        try:
            usersigs.check(usersig, identifier)
        except Refused:
            if self._failures.are_too_many(address):
                raise Refused(TOO_MANY_FAILURES) from None
            raise


class Gate:
    """The middleware of this dialect's routes."""

    def __init__(self, app: ASGIApp, gateway: Gateway, desk: Callable[[], Desk]) -> None:
        self._app = app
        self._gateway = gateway
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked: Any = scope
        if "family" in asked["route_handler"].opt:
            asked["desk"], asked["auth"] = self._desk(), self._gateway.app
            query = parameters(asked["query_string"])
            address = (asked.get("client") or ("",))[0]
            await self._gateway.admit(asked["desk"].read_state, asked["route_handler"].opt["operation"], query, address)
        await self._app(scope, until_gone(receive), send)
