"""What a command is: its route, its entry in the OpenAPI document, what its caller pays.

A handler says all of it in its decorator.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Operation as DocumentedOperation
from litestar.params import JSONBody
from msgspec import Struct

from readstate.dialects import base
from readstate.dialects.access import costs
from readstate.dialects.base import api_key
from readstate.dialects.http.body import StrictJson
from readstate.dialects.http.reply import Reply
from readstate.dialects.tencent.reply import Fail, Ok, Problem, ok

MAX_BODY_BYTES: Final = 12 * 1024

SECURITY = {
    "sdkappid": api_key("query", "sdkappid", "Names the app"),
    "identifier": api_key("query", "identifier", "An administrator of the app"),
    "usersig": api_key("query", "usersig", "The administrator's UserSig"),
}


class Family(Struct, frozen=True):
    """The problems that all commands of one service can have."""

    service: str
    body_unreadable: Problem
    illegal: Problem  # for what has no problem of its own
    failed: Problem  # a fault of ours or the store's; trying again helps
    no_such_command: Problem


class Operation(base.Operation, frozen=True, kw_only=True):
    """A command of this dialect."""

    family: Family
    field_problems: Mapping[str, Problem] = {}  # by field: the problem that is answered for what is wrong with it


class Call(base.Call[str]):
    """A request of an administrator: `auth` is our name of the app."""


Handler = Callable[[Call, Any], Awaitable[Ok]]  # takes the body


def operation(
    family: Family,
    *,
    field_problems: Mapping[str, Problem] | None = None,
    cost: int = costs.READ,
) -> Callable[[Handler], HTTPRouteHandler]:
    """Make a route of a function that takes a body and returns one of several results.

    Both are read off its annotations; its name is the command. `field_problems` has, by field, the
    problem that is answered for a bad value, where it is not the family's own. `cost` is what the
    caller pays (see costs).
    """
    json_body: Any = JSONBody

    def decorate(function: Handler) -> HTTPRouteHandler:
        command = function.__name__
        _, body, results = get_type_hints(function).values()

        async def handle(request: Call, data: Any) -> Reply:
            return ok(await function(request, data))

        handle.__annotations__["data"] = json_body[body]
        handle.__doc__, handle.__name__, handle.__module__ = function.__doc__, function.__name__, function.__module__
        return post(
            f"/{family.service}/{command}",
            opt={"operation": Operation(name=command, cost=cost, family=family, field_problems=field_problems or {})},
            operation_id=command,
            operation_class=_Always200,
            responses=base.responses({200: (results | Fail, "Done, or why not")}),
            security=[{name: [] for name in SECURITY}],
            status_code=200,
            dto=StrictJson,
            return_dto=None,
            request_class=Call,
            request_max_body_size=MAX_BODY_BYTES,
        )(handle)

    return decorate


@dataclass
class _Always200(DocumentedOperation):
    """An operation with status 200 only. The framework adds 400, for a bad body, by itself."""

    def __post_init__(self) -> None:
        if self.responses is not None:
            self.responses.pop("400", None)
