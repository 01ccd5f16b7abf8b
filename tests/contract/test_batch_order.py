"""A batch keeps the order of a room's messages even when the store fails in the middle of it."""

from typing import Any

import pytest

from service.domain.read_state import ReadState
from service.domain.types import Posted
from service.errors import Unavailable, UnknownOutcome
from tests.support.imkit import Imkit, result


@pytest.mark.parametrize("fault", [Unavailable, UnknownOutcome])
async def test_what_stands_behind_a_failed_message_waits_for_it(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    """The second message of the room fails once: the third is not tried, another room is, and a repeat brings the order about."""
    await imkit.room("garden", "al", tags=())
    await imkit.room("attic", "al", tags=())
    post, faults = ReadState.post, [fault("the store went away")]

    async def fail_once(self: ReadState, **arguments: Any) -> Posted:
        if arguments["message"] == "m2" and faults:
            raise faults.pop()
        return await post(self, **arguments)

    monkeypatch.setattr(ReadState, "post", fail_once)
    items = [{"_id": f"m{place}", "room": room, "sender": "bo"} for place, room in enumerate(["garden", "garden", "attic", "garden"], 1)]
    first = result(await imkit.as_backend("POST", "/messages/batch", {"messages": items}))["results"]
    assert [item["RC"] for item in first] == [0, 503, 0, 503]
    again = result(await imkit.as_backend("POST", "/messages/batch", {"messages": items}))["results"]
    assert [item["result"]["created"] for item in again] == [False, True, False, True]
    shown = result(await imkit.as_backend("GET", "/rooms/garden"))
    assert shown["lastMessage"]["_id"] == "m4"
    assert shown["memberProperties"] == [{"client": "al", "badge": 3}]
