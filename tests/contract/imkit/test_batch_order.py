"""A batch keeps the order of a room's messages even when the store fails in the middle of it."""

import asyncio
import hashlib
from typing import Any

import pytest

from readstate.dialects.imkit.batch import ROOMS_AT_ONCE
from readstate.domain.direct import direct_room
from readstate.domain.messages import Posted
from readstate.errors import Unavailable, UnknownOutcome
from readstate.store.messages import RedisMessages
from tests.support.imkit import Imkit, result


@pytest.mark.parametrize("fault", [Unavailable, UnknownOutcome])
async def test_what_stands_behind_a_failed_message_waits_for_it(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    """The second message of the room fails once.

    The third is not tried, another room is, and a repeat restores the order.
    """
    await imkit.room("garden", "al", tags=())
    await imkit.room("attic", "al", tags=())
    post, faults = RedisMessages.post, [fault("the store went away")]

    async def fail_once(self: RedisMessages, **arguments: Any) -> Posted:
        if arguments["message"] == "m2" and faults:
            raise faults.pop()
        return await post(self, **arguments)

    monkeypatch.setattr(RedisMessages, "post", fail_once)
    items = [
        {"_id": f"m{place}", "room": room, "sender": "bo"}
        for place, room in enumerate(["garden", "garden", "attic", "garden"], 1)
    ]
    first = result(await imkit.as_backend("POST", "/messages/batch", {"messages": items}))["results"]
    assert [item["RC"] for item in first] == [0, 503, 0, 503]
    again = result(await imkit.as_backend("POST", "/messages/batch", {"messages": items}))["results"]
    assert [item["result"]["created"] for item in again] == [False, True, False, True]
    shown = result(await imkit.as_backend("GET", "/rooms/garden"))
    assert shown["lastMessage"]["_id"] == "m4"
    assert shown["memberProperties"] == [{"client": "al", "badge": 3}]


@pytest.mark.parametrize("by_client", [False, True], ids=["of all dialects", "that a client made"])
async def test_what_two_say_to_each_other_is_posted_in_order(
    imkit: Imkit, monkeypatch: pytest.MonkeyPatch, by_client: bool
) -> None:
    """A direct room may be named by either user or by its id."""
    for user in ("al", "bo"):
        await imkit.sign_in(user)
    room = direct_room("al", "bo")
    if by_client:
        room = hashlib.md5(b"al_bo").hexdigest()
        result(
            await imkit.as_user(
                "al", "POST", "/rooms/createAndJoin", {"_id": room, "roomType": "direct", "invitee": "bo"}
            )
        )
    post, order = RedisMessages.post, []

    async def note(self: RedisMessages, **arguments: Any) -> Posted:
        await asyncio.sleep(0.02 if arguments["sender"] == "al" else 0)
        order.append((arguments["room"], arguments["message"]))
        return await post(self, **arguments)

    monkeypatch.setattr(RedisMessages, "post", note)
    ways = ({"sender": "al", "receiver": "bo"}, {"sender": "bo", "receiver": "al"}, {"sender": "bo", "room": room})
    items = [{"_id": f"m{place}", **ways[place % 3]} for place in range(9)]
    await imkit.as_backend("POST", "/messages/batch", {"messages": items})
    assert order == [(room, f"m{place}") for place in range(9)]


async def test_messages_of_a_batch_are_made_ready_some_at_a_time(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise 500 of them would block the worker for other callers."""
    post, running, most = RedisMessages.post, 0, 0

    async def note(self: RedisMessages, **arguments: Any) -> Posted:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await post(self, **arguments)
        finally:
            running -= 1

    monkeypatch.setattr(RedisMessages, "post", note)
    items = [{"room": f"r{place}", "sender": "al"} for place in range(100)]
    answer = await imkit.as_backend("POST", "/messages/batch", {"messages": items})
    assert {item["RC"] for item in answer.json()["result"]["results"]} == {404}
    assert most == ROOMS_AT_ONCE
