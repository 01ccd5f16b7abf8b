"""Sockets that may have missed something, or whose token may have ended, when something fails."""

from typing import Any

import pytest

from readstate.dialects.imkit.sockets import closing as closing_module
from readstate.dialects.imkit.sockets.closing import GapClosing, TokenWatch
from readstate.dialects.imkit.sockets.connection import STATE_LOST, TOKEN_ENDED, CloseReason
from readstate.dialects.imkit.sockets.following import Following
from readstate.dialects.imkit.sockets.hub import Hub
from readstate.domain.identity import Session
from readstate.domain.notices import Topic
from readstate.errors import Unavailable
from readstate.store.replies import ScriptFailed
from tests.support.counted_notices import CountedNotices
from tests.support.waiting import wait_until

APP = "demo"


class Phone:
    """A connection of ann's, who follows."""

    follows = True
    session: Any = Session(APP, "ann", "", 0)

    def __init__(self) -> None:
        self.closed: list[CloseReason] = []

    def close(self, reason: CloseReason) -> None:
        self.closed.append(reason)

    async def until_closed(self, reason: CloseReason) -> None:
        async def is_closed() -> bool:
            return self.closed == [reason]

        await wait_until(is_closed, f"{reason.reason}", timeout_s=3)


async def no_rooms(*, app: str, user: str) -> list[str]:
    return []


@pytest.mark.parametrize("error", [Unavailable("down"), ScriptFailed("damaged"), ZeroDivisionError()])
async def test_a_socket_that_cannot_hear_again_after_a_gap_is_closed(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing_module, "GAP_SPREAD_S", 0.0)
    answers: list[list[str] | Exception] = [["r"], error]

    async def rooms_of(*, app: str, user: str) -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    hub: Any = Hub(rooms_of, CountedNotices())
    changes: Any = None  # are not asked for
    gaps, phone = GapClosing(hub, Following(hub, changes)), Phone()
    await hub.add(APP, "ann", phone)
    gaps.on_gap([Topic.room(APP, "r")])
    await phone.until_closed(STATE_LOST)
    assert hub.connections_of(APP, "ann") == []
    await gaps.stop()


async def test_a_check_of_the_tokens_that_fails_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing_module, "CHECK_S", 0.01)
    phone = Phone()
    answers: list[bool | Exception] = [ZeroDivisionError(), True, False]

    class TokenStates:
        def still_valid(self, session: Session) -> bool:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    class OpenConnections:
        def all(self) -> list[Phone]:
            return [] if phone.closed else [phone]

    tokens: Any = TokenStates()
    connections: Any = OpenConnections()
    watch = TokenWatch(tokens, Hub(no_rooms, CountedNotices()), connections)
    watch.start()
    await phone.until_closed(TOKEN_ENDED)
    await watch.stop()
    assert answers == []
