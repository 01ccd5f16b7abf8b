"""/schema describes the Tencent dialect: schemathesis makes calls from it and checks the
answers.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from readstate.app import create_app
from readstate.dialects.tencent.api import HANDLERS
from readstate.settings import Settings
from tests.support.examples import examples
from tests.support.imkit import API_KEY, CLIENT_KEY
from tests.support.served import served
from tests.support.servers import Server
from tests.support.tencent import ADMIN, SDKAPPID, usersig, with_tencent

# The verdict is in the body: whatever is wrong, the status is 200.
BY_STATUS = [ignored_auth, negative_data_rejection, positive_data_acceptance, unsupported_method]

_SETTINGS = with_tencent(
    Settings(redis_url="unix:///nowhere", api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
)
schema = schemathesis.openapi.from_dict(create_app(_SETTINGS).openapi()).include(path_regex="^/v4/")


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    """A running service, over a real socket."""
    with served(msgspec.structs.replace(_SETTINGS, redis_url=server.url)) as url:
        yield url


@schema.parametrize()
@examples(20, 60, derandomize=True)  # of each operation
def test_answers_are_as_documented(case: schemathesis.Case[Any], url: str) -> None:
    """Any call is answered with status 200 and a documented success or failure."""
    proper = {"sdkappid": str(SDKAPPID), "identifier": ADMIN, "usersig": usersig()}
    case.call_and_validate(base_url=url, params=proper, excluded_checks=BY_STATUS)


def test_every_command_is_documented() -> None:
    """The document has the input of each command, its callers, and that it always answers 200."""
    paths = {path: methods for path, methods in schema.raw_schema["paths"].items() if path.startswith("/v4/")}
    assert set(paths) == {f"/v4{path}" for handler in HANDLERS for path in handler.paths}
    for methods in paths.values():
        (operation,) = methods.values()
        assert operation["security"] == [{"sdkappid": [], "identifier": [], "usersig": []}]
        assert set(operation["responses"]) == {"200"}
        assert "$ref" in operation["requestBody"]["content"]["application/json"]["schema"]
