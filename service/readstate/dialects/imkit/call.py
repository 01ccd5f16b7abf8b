"""One call of this dialect: its operation, its caller, and what is charged to them."""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Protocol

from litestar import Request
from msgspec import Struct, field

from readstate.dialects import base
from readstate.dialects.access import costs
from readstate.dialects.imkit.reply import Problem, Problems
from readstate.dialects.services import Services
from readstate.domain.identity import Session
from readstate.domain.limits import MAX_BODY_BYTES
from readstate.domain.rooms import Room


class Access(Enum):
    """Who may make a call."""

    CLIENT = "client"  # a user with a token, or the backend for a user (IM-API-KEY with IM-CLIENT-ID)
    EITHER = "either"  # the same, or the backend without a user
    BACKEND = "backend"  # the backend alone
    TOKENS = "tokens"  # the users of the tokens in the body, with the client key; or the backend


class Operation(base.Operation, frozen=True, kw_only=True):
    """A call of this dialect."""

    access: Access
    problems: Problems = field(default_factory=dict)  # the call's own problems for refusals
    bad_body: Problem | None = None  # its own problem for a body that cannot be decoded
    query: Sequence[str] | None = None  # the parameters it takes; None: unknown ones are ignored
    max_body_bytes: int = MAX_BODY_BYTES


NO_OPERATION = Operation(name="", access=Access.BACKEND)  # for errors outside the calls


class Principal(Struct, frozen=True):
    """The caller."""

    app: str
    user: str  # "" for the backend without a user
    backend: bool  # by API key: may do everything
    session: Session | None  # of a user's own token

    @property
    def payer(self) -> str:
        """The user whose rate limit the call counts in; "" for the backend's."""
        return "" if self.backend else self.user


class _Charged(Protocol):
    @property
    def auth(self) -> Principal: ...
    @property
    def services(self) -> Services: ...


class Charging:
    """What handlers use of a call, beside `auth` and `services`."""

    __slots__ = ()

    async def room(self: _Charged, room: str) -> Room:
        """The room, with the caller's state in it. Raises RoomUnknown."""
        return await self.services.rooms.room(app=self.auth.app, room=room, user=self.auth.user)

    def charge(self: _Charged, cost: float) -> None:
        """Charge the call for its further cost, beside what its caller paid."""
        self.services.rate_limits.charge(self.auth.app, self.auth.payer, cost)

    def charge_derived(self: _Charged, rooms: int) -> None:
        """Charge for the rooms that a badge had to ask."""
        if rooms:
            self.services.rate_limits.charge(self.auth.app, self.auth.payer, costs.of_derived(rooms))


class BareCall(Struct, Charging):
    """A call that did not come through the framework."""

    auth: Principal
    services: Services


class Call(Charging, Request[Any, Principal, Any]):
    """An authenticated request."""

    @property
    def services(self) -> Services:
        return self.scope["services"]  # type: ignore[typeddict-item, no-any-return]
