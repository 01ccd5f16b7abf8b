"""/schema describes the service: schemathesis makes calls from it and checks the answers."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
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
from readstate.dialects.imkit.api import HANDLERS
from readstate.settings import Settings
from tests.support.examples import examples
from tests.support.imkit import API_KEY, CLIENT_KEY
from tests.support.served import served
from tests.support.servers import Server

# Of IMKit's: 404, not 405.
WITH_CALLS_THAT_ARE_NOT_OFFERED = {
    "/me",
    "/messages",
    "/admin/clients",
    "/rooms/{room}/messages",
    "/rooms/{room}/messages/{message}",
}
LONGEST_URL = 64 * 1024  # characters
OTHER_DIALECTS = "^/(v4|api|tencent)/"  # each has tests of its own


@pytest.fixture(scope="module")
def url(server: Server) -> Iterator[str]:
    """A running service, over a real socket."""
    with served(msgspec.structs.replace(_SETTINGS, redis_url=server.url)) as url:
        yield url


# The document does not depend on where the service runs, so the calls can be collected before it
# does.
_SETTINGS = Settings(redis_url="unix:///nowhere", api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
schema = schemathesis.openapi.from_dict(create_app(_SETTINGS).openapi())


@schema.exclude(path_regex=OTHER_DIALECTS).parametrize()
@examples(8, 40, derandomize=True)  # of each operation
def test_answers_are_as_documented(case: schemathesis.Case[Any], url: str) -> None:
    """Any call is answered with a documented status and form, and never with 5xx.

    Not every documented request is accepted: ids and tags have rules that JSON Schema cannot
    express.
    """
    headers = {"IM-API-KEY": API_KEY, "IM-CLIENT-ID": "al"}
    excluded = [positive_data_acceptance, ignored_auth]
    if case.path in WITH_CALLS_THAT_ARE_NOT_OFFERED:
        excluded.append(unsupported_method)
    if case.path == "/me/badge":
        # In a query `false` is a string, and one string is a list of one, whatever JSON Schema
        # says.
        excluded.append(negative_data_rejection)
    answer = case.call(base_url=url, headers=headers)
    if len(answer.request.url or "") > LONGEST_URL:
        return  # the server refuses it before the call is known (tests/e2e/test_hostile_http.py)
    if answer.status_code == 413:
        excluded.append(negative_data_rejection)  # a body that is too large is refused before it is read
    case.validate_response(answer, headers=headers, excluded_checks=excluded)


def test_the_parameters_that_a_call_takes_are_those_that_it_documents() -> None:
    """A documented field must not be refused as unknown.

    Aliases are accepted and not documented.
    """
    operations = {
        one["operationId"]: one for methods in schema.raw_schema["paths"].values() for one in methods.values()
    }
    for handler in HANDLERS:
        parameters = operations[handler.opt["operation"].name].get("parameters", ())
        operation = {one["name"] for one in parameters if one["in"] == "query"}
        taken = handler.opt["operation"].query
        assert operation == {name for name in taken or () if not name.endswith("[]")}, handler.opt["operation"].name
        assert taken is not None or not operation


def test_every_call_is_documented(url: str) -> None:
    """Each operation documents its callers, its input and its answers."""
    document = httpx.get(f"{url}/schema").json()
    assert document == schema.raw_schema
    ours = {path: methods for path, methods in document["paths"].items() if not re.search(OTHER_DIALECTS, path)}
    operations = {one["operationId"]: one for methods in ours.values() for one in methods.values()}
    assert set(operations) == {handler.opt["operation"].name for handler in HANDLERS}
    for operation in operations.values():
        assert operation["security"]
        assert {"200", "400", "401", "403", "413", "503"} <= set(operation["responses"])
        schemas = [answer["content"]["application/json"]["schema"] for answer in operation["responses"].values()]
        assert all("$ref" in one for schema in schemas for one in schema.get("anyOf", [schema]))
    # An API key cannot log out.
    assert operations["logout"]["security"] == [{"clientKey": [], "userToken": []}]
