"""Callbacks at /schema: schemathesis sends some and checks the answers."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from readstate.app import create_app
from readstate.dialects.tencent.callbacks.commands import COMMANDS
from readstate.settings import Settings
from tests.support.examples import examples
from tests.support.imkit import API_KEY, CLIENT_KEY
from tests.support.served import served
from tests.support.servers import Server
from tests.support.tencent_callbacks import SDKAPPID

# Without a token the app is enough on this machine, so no example has to be signed.
_SETTINGS = Settings(
    redis_url="unix:///nowhere",
    api_key=API_KEY,
    client_key=CLIENT_KEY,
    token_secret="t" * 32,
    tencent_sdkappid=SDKAPPID,
)
schema = schemathesis.openapi.from_dict(create_app(_SETTINGS).openapi()).include(path_regex="^/tencent/")


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    """A running service, over a real socket."""
    with served(msgspec.structs.replace(_SETTINGS, redis_url=server.url)) as url:
        yield url


@schema.parametrize()
@examples(80, 200, derandomize=True)  # of each operation
def test_answers_are_as_documented(case: schemathesis.Case[Any], url: str) -> None:
    """Any callback is answered with a documented status and form, never with 5xx.

    The verdict is in the body.
    """
    case.call_and_validate(
        base_url=url, params={"SdkAppid": SDKAPPID}, excluded_checks=[ignored_auth, negative_data_rejection]
    )


def test_a_callback_is_documented() -> None:
    """The document has URL and body of every command, and every answer."""
    (operation,) = schema.raw_schema["paths"]["/tencent/callbacks"].values()
    assert operation["operationId"] == "tencent_callback"
    assert {(one["name"], one["in"], one.get("required", False)) for one in operation["parameters"]} == {
        (name, "query", False) for name in ("SdkAppid", "CallbackCommand", "Sign", "RequestTime")
    }
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["CallbackCommand"]["examples"] == sorted(COMMANDS)
    assert {"200", "401", "405", "503"} == set(operation["responses"])
    assert all(
        "$ref" in str(answer["content"]["application/json"]["schema"]) for answer in operation["responses"].values()
    )
