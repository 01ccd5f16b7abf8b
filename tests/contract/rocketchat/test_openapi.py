"""/schema describes the Rocket.Chat dialect: schemathesis makes calls from it and checks the
answers.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from readstate.app import create_app
from readstate.dialects.rocketchat.api import HANDLERS, PATH
from readstate.settings import Settings
from tests.support.examples import examples
from tests.support.imkit import API_KEY, CLIENT_KEY, result
from tests.support.served import served
from tests.support.servers import Server

# The document does not depend on where the service runs, so the calls can be collected before it
# does.
_SETTINGS = Settings(redis_url="unix:///nowhere", api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
schema = schemathesis.openapi.from_dict(create_app(_SETTINGS).openapi())
rocketchat = schema.include(path_regex=f"^{PATH}/")


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    """A running service, where user al is in room r."""
    settings = msgspec.structs.replace(_SETTINGS, redis_url=server.url, rocketchat_rate_limit=1_000_000)
    with served(settings) as url:
        backend = {"IM-API-KEY": API_KEY}
        result(httpx.post(f"{url}/rooms", headers=backend, json={"_id": "r", "members": ["al"]}))
        yield url


@pytest.fixture
def headers(url: str) -> dict[str, str]:
    """Headers of al with a valid token."""
    answer = httpx.post(
        f"{url}/admin/clients", headers={"IM-API-KEY": API_KEY}, json={"_id": "al", "issueAccessToken": True}
    )
    return {"X-Auth-Token": result(answer)["token"], "X-User-Id": "al"}


@rocketchat.parametrize()
@examples(20, 60, derandomize=True)  # of each operation
def test_answers_are_as_documented(case: schemathesis.Case[Any], url: str, headers: dict[str, str]) -> None:
    """Any call is answered with a documented status and form, and never with 5xx.

    Not every documented request is accepted: a text need not be the id of anything.
    """
    excluded = [positive_data_acceptance, ignored_auth]
    case.call_and_validate(base_url=url, headers=headers, excluded_checks=excluded)


def test_every_call_is_documented(url: str) -> None:
    """Each operation documents its callers, its input and its answers."""
    document = httpx.get(f"{url}/schema").json()
    operations = {
        one["operationId"]: one
        for path, calls in document["paths"].items()
        if path.startswith(PATH)
        for one in calls.values()
    }
    assert set(operations) == {handler.opt["operation"].name for handler in HANDLERS}
    for name, operation in operations.items():
        assert bool(operation.get("security")) == (name != "rocketchat_login")
        assert {"200", "400", "401", "403", "413", "429", "503"} <= set(operation["responses"])
        assert all(
            "$ref" in answer["content"]["application/json"]["schema"] for answer in operation["responses"].values()
        )
        assert operation["tags"] == ["Rocket.Chat"]


def test_what_a_call_takes_is_documented(url: str) -> None:
    paths = httpx.get(f"{url}/schema").json()["paths"]
    parameters = paths[f"{PATH}/chat.getMessageReadReceipts"]["get"]["parameters"]
    assert {(one["name"], one["in"], one.get("required", False)) for one in parameters} == {
        ("messageId", "query", True),
        ("offset", "query", False),
        ("count", "query", False),
    }
    body = paths[f"{PATH}/subscriptions.read"]["post"]["requestBody"]
    assert set(body["content"]) == {"application/json", "application/x-www-form-urlencoded"}
    forms = body["content"]["application/json"]["schema"]["anyOf"]
    schemas = [schema.raw_schema["components"]["schemas"][form["$ref"].rpartition("/")[2]] for form in forms]
    assert [form["required"] for form in schemas] == [["rid"], ["roomId"]]
