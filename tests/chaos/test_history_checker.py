"""The checker of histories itself: it accepts what can have happened and rejects what cannot."""

import asyncio
import random
from dataclasses import replace

import pytest

from tests.support.history import Call, Checker
from tests.support.model import ModelStore
from tests.support.rooms import a_room, posted

USERS, ROOMS = ("ann", "bob", "cid"), ("r1", "r2")


async def true_history(seed: int) -> tuple[list[Call], dict[str, list[str]]]:
    """Calls one after the other, answered by the model: every answer is exactly right."""
    chance, model, history = random.Random(seed), ModelStore(), []
    order: dict[str, list[str]] = {room: [] for room in ROOMS}
    for room in ROOMS:
        await a_room(model, "a", room, members=USERS)
    for number in range(60):
        user, room, now = chance.choice(USERS), chance.choice(ROOMS), float(10 * number)
        if number < 4 or chance.random() < 0.4:
            order[room].append((await posted(model, "a", room, sender=user)).message)
            history.append(Call("post", user, now, now + 5, room, order[room][-1]))
        elif order[room] and chance.random() < 0.7:
            message = chance.choice(order[room])
            reading = await model.reading.mark_read(app="a", room=room, user=user, message=message)
            assert reading.badge is not None
            history.append(
                Call("read", user, now, now + 5, room, message, reading.message, reading.unread, reading.badge)
            )
        else:
            history.append(
                Call("badge", user, now, now + 5, badge=await model.badges.badge(app="a", user=user, tags=()))
            )
    return history, order


def wrong(history: list[Call], order: dict[str, list[str]]) -> list[str]:
    return Checker(history, order, at_one_instant=True).check() or []


@pytest.mark.parametrize("seed", range(5))
def test_a_true_history_is_accepted(seed: int) -> None:
    """With calls in sequence, and as well with calls that overlap: longer calls only allow more."""
    history, order = asyncio.run(true_history(seed))
    assert wrong(history, order) == []
    stretched = [replace(call, began=call.began - 25, ended=call.ended + 25) for call in history]
    assert wrong(stretched, order) == []


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("what", ["badge", "unread"])
def test_every_single_wrong_number_is_rejected(what: str, by: int) -> None:
    """Nothing overlaps here, so there is exactly one right answer to each call."""
    history, order = asyncio.run(true_history(0))
    for i, call in enumerate(history):
        if call.kind == "read" or (call.kind == what == "badge"):
            planted = (
                replace(call, badge=call.badge + by) if what == "badge" else replace(call, unread=call.unread + by)
            )
            assert wrong([*history[:i], planted, *history[i + 1 :]], order), f"accepted {planted}"


def test_every_cursor_that_went_back_is_rejected() -> None:
    """A server that forgets what it had answered."""
    history, order = asyncio.run(true_history(1))
    planted = 0
    for i, call in enumerate(history):
        before = order[call.room].index(call.cursor) if call.kind == "read" else 0
        if before:
            older = replace(call, cursor=order[call.room][before - 1], unread=call.unread + 1)
            assert wrong([*history[:i], older, *history[i + 1 :]], order), f"accepted {older}"
            planted += 1
    assert planted > 5


def test_a_cursor_that_nobody_asked_for_is_rejected() -> None:
    """Reading up to one message must not swallow the next."""
    history, order = asyncio.run(true_history(2))
    reads = [(i, call) for i, call in enumerate(history) if call.kind == "read" and call.unread]
    for i, call in reads:
        further = replace(
            call, cursor=order[call.room][order[call.room].index(call.cursor) + 1], unread=call.unread - 1
        )
        assert wrong([*history[:i], further, *history[i + 1 :]], order), f"accepted {further}"
    assert reads


def test_messages_out_of_order_are_rejected() -> None:
    """A message whose post had ended stands before one whose post began later."""
    history, order = asyncio.run(true_history(3))
    order["r1"][0], order["r1"][1] = order["r1"][1], order["r1"][0]
    assert wrong(history, order)
