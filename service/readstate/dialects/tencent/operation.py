"""What a command is in the routing table and in the OpenAPI document, said once beside the handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Union

from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Operation as DocumentedOperation
from litestar.openapi.spec import SecurityScheme

from readstate.dialects import base
from readstate.dialects.access import costs
from readstate.dialects.http.body import StrictJson
from readstate.dialects.tencent.call import Call
from readstate.dialects.tencent.codes import GATEWAY, Code, Family
from readstate.dialects.tencent.reply import Fail, Ok

MAX_BODY_BYTES: Final = 12 * 1024

SECURITY = {
    "sdkappid": SecurityScheme(type="apiKey", security_scheme_in="query", name="sdkappid", description="Names the app"),
    "identifier": SecurityScheme(
        type="apiKey", security_scheme_in="query", name="identifier", description="An administrator of the app"
    ),
    "usersig": SecurityScheme(
        type="apiKey", security_scheme_in="query", name="usersig", description="The administrator's UserSig"
    ),
}


class Operation(base.Operation, frozen=True, kw_only=True):
    """A command of this dialect."""

    family: Family
    blames: Mapping[str, Code] = {}  # by field: the code for what is wrong with it


NO_OPERATION = Operation(name="", family=GATEWAY)  # an error outside the commands


def operation(
    command: str, family: Family, *results: type[Ok], blames: Mapping[str, Code] | None = None, cost: int = costs.READ
) -> dict[str, Any]:
    """Arguments for a route decorator: the path of the command, and what stands in the routing table.

    `results` are what a success looks like; `blames` tells by the name of a field the code for whatever is wrong with it, where that is
    not the family's own. `cost` is what its caller pays (see costs).
    """
    answers: Any = Union[*(results or (Ok,)), Fail]
    return {
        "path": f"/{family.service}/{command}",
        "opt": {"operation": Operation(name=command, cost=cost, family=family, blames=blames or {})},
        "operation_id": command,
        "operation_class": _Always200,
        "responses": {
            200: ResponseSpec(data_container=answers, description="Done, or why not", generate_examples=False)
        },
        "security": [{name: [] for name in SECURITY}],
        "status_code": 200,
        "dto": StrictJson,
        "return_dto": None,
        "request_class": Call,
        "request_max_body_size": MAX_BODY_BYTES,
    }


@dataclass
class _Always200(DocumentedOperation):
    """An operation that has no other status, 400 for a bad body included, which the framework adds by itself."""

    def __post_init__(self) -> None:
        if self.responses is not None:
            self.responses.pop("400", None)
