"""One call of this dialect: who asks, and what answers."""

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


class Access(Enum):
    """Who may make a call."""

    CLIENT = "client"  # a user with a token, or the backend in a user's name (IM-API-KEY with IM-CLIENT-ID)
    EITHER = "either"  # the same, or the backend in nobody's name
    BACKEND = "backend"  # the backend alone
    TOKENS = "tokens"  # users whose tokens are in the body, by the client key, or the backend


class Operation(base.Operation, frozen=True, kw_only=True):
    """A call of this dialect."""

    who: Access
    problems: Problems = field(default_factory=dict)  # the call's own words for refusals
    bad_body: Problem | None = None  # and for a body that cannot be decoded
    query: Sequence[str] | None = None  # the parameters it takes; None: others are passed over
    max_body_bytes: int = MAX_BODY_BYTES


NO_OPERATION = Operation(name="", who=Access.BACKEND)  # an error outside the calls


class Principal(Struct, frozen=True):
    """Who asks."""

    app: str
    user: str  # "" for the backend in nobody's name
    backend: bool  # by API key: may do everything
    session: Session | None  # of a user's own token

    @property
    def payer(self) -> str:
        """Whose rate the call counts in: the user's, or "" for the backend's."""
        return "" if self.backend else self.user


class _Charged(Protocol):
    @property
    def auth(self) -> Principal: ...
    @property
    def services(self) -> Services: ...


class Charging:
    """What handlers use of a call, beside `auth` and `services`."""

    __slots__ = ()

    def charge(self: _Charged, cost: float) -> None:
        """Charge what the call has turned out to cost, beside what its caller paid."""
        self.services.rate_limits.charge(self.auth.app, self.auth.payer, cost)

    def charge_derived(self: _Charged, rooms: int) -> None:
        """Charge for the rooms that a badge had to ask."""
        if rooms:
            self.services.rate_limits.charge(self.auth.app, self.auth.payer, costs.of_derived(rooms))


class BareCall(Struct, Charging):
    """A call that does not come by way of the framework."""

    auth: Principal
    services: Services


class Call(Charging, Request[Any, Principal, Any]):
    """A request that is authenticated."""

    @property
    def services(self) -> Services:
        return self.scope["services"]  # type: ignore[typeddict-item, no-any-return]
