"""Calls by schemathesis from the OpenAPI document, in all dialects: none makes the service fail.

The tests of each dialect check the answers. This one checks the log of a real service.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis.checks import not_a_server_error

from readstate.app import create_app
from readstate.dialects.tencent.webhooks import sign
from readstate.settings import Settings
from tests.security.fuzz.run import NO_LIMITS, TENCENT
from tests.security.fuzz.world import API_KEY, CLIENT_KEY
from tests.support.devices import faults
from tests.support.processes import ServiceProcess, own_service
from tests.support.tencent import ADMIN, SDKAPPID, usersig
from tests.support.tencent_callbacks import TOKEN

EXAMPLES, EXAMPLES_FULL = 8, 250  # of each operation

_SETTINGS = Settings(redis_url="unix:///nowhere", api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
schema = schemathesis.openapi.from_dict(create_app(_SETTINGS).openapi())
# In one order: the framework's is another one in each process.
OPERATIONS = sorted((one.ok() for one in schema.get_all_operations()), key=lambda operation: operation.label)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceProcess]:
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
    with own_service(workers=2, **keys, **TENCENT, **NO_LIMITS) as process:
        with httpx.Client(base_url=process.url, headers={"IM-API-KEY": API_KEY}) as http:
            for room in ("r", "@TGS#g"):
                http.post("/rooms", json={"_id": room, "members": ["al", "bo"], "owner": "al"}).raise_for_status()
                http.post("/messages", json={"_id": "1", "room": room, "sender": "bo"}).raise_for_status()
        yield process


def credentials(service: ServiceProcess, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and parameters of a caller with the right to call."""
    if path.startswith("/v4/"):
        return {}, {"sdkappid": str(SDKAPPID), "identifier": ADMIN, "usersig": usersig()}
    if path.startswith("/tencent/"):
        now = str(int(time.time()))
        return {}, {"SdkAppid": str(SDKAPPID), "Sign": sign(TOKEN, now), "RequestTime": now}
    if path.startswith("/api/"):
        user = {"_id": "al", "issueAccessToken": True}
        answer = httpx.post(f"{service.url}/admin/clients", headers={"IM-API-KEY": API_KEY}, json=user)
        return {"X-Auth-Token": str(answer.json()["result"]["token"]), "X-User-Id": "al"}, {}
    return {"IM-API-KEY": API_KEY, "IM-CLIENT-ID": "al"}, {}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_no_call_makes_it_fail(
    operation: schemathesis.APIOperation[Any, Any, Any, Any], service: ServiceProcess, full: bool
) -> None:
    headers, query = credentials(service, operation.path)
    before, codes = len(faults(service)), set()

    @given(case=operation.as_strategy())
    @settings(max_examples=EXAMPLES_FULL if full else EXAMPLES, derandomize=not full)
    def make(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=service.url, headers=headers, params=query, timeout=20)
        case.validate_response(answer, checks=[not_a_server_error])
        if operation.path.startswith("/v4/") and answer.status_code == 200:
            codes.add(answer.json()["ErrorCode"])

    make()
    if operation.path.startswith("/v4/"):
        assert any(not 60_000 <= code < 80_000 for code in codes), "every call ended at the gateway"
    assert faults(service)[before:] == []
