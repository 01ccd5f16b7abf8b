"""Requests over a socket get the answers of HTTP, whatever they hold."""

from typing import Any

import msgspec
import pytest

from readstate.dialects.imkit.operation import Principal
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from readstate.domain.limits import MAX_NESTING
from tests.support.imkit import Imkit


@pytest.mark.parametrize("levels", [MAX_NESTING, 5_000])
async def test_a_message_that_is_nested_too_deeply_is_refused(imkit: Imkit, levels: int) -> None:
    """Also a body at the limit of what can be read, beyond what can be written."""
    await imkit.room("r", "al")
    message: list[Any] = []
    for _ in range(levels - 1):
        message = [message]
    principal = Principal("default", "al", backend=False, session=None)
    answer = await HTTP_CALLS["chat message"].answer(imkit.services, principal, {"room": "r", "message": message})
    assert msgspec.json.decode(answer)["error"]["code"] == "INVALID_BODY"
