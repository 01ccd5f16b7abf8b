"""One call of this dialect: who asks, and what answers."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

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


class BareCall(Struct):
    """What handlers ask of a request, for a call that comes by another way than the framework's."""

    auth: Principal
    services: Services

    def charge(self, cost: float) -> None:
        """What the call has turned out to cost, beside what its caller paid."""
        self.services.rate_limits.charge(self.auth.app, self.auth.payer, cost)

    def charge_derived(self, rooms: int) -> None:
        """What the rooms cost that a badge had to ask."""
        if rooms:
            self.charge(costs.of_derived(rooms))


class Call(Request[Any, Principal, Any]):
    """A request that the gate has let in: `auth` is the Principal."""

    @property
    def services(self) -> Services:
        return self.scope["services"]  # type: ignore[typeddict-item, no-any-return]

    def charge(self, cost: float) -> None:
        """As BareCall does."""
        self.services.rate_limits.charge(self.auth.app, self.auth.payer, cost)

    def charge_derived(self, rooms: int) -> None:
        """As BareCall does."""
        if rooms:
            self.charge(costs.of_derived(rooms))
