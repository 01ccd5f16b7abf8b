"""In which order, and how many at a time, events of clients are processed.

A thousand members who read one message at the same moment send a thousand events in one turn of the
event loop. Were all of them processed side by side, each step of a call in another room would wait
behind a thousand such steps. So some begin in each turn (`PacedTasks`), and when it is known in
which room each of them is, rooms take turns (`FairTurns`).
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from readstate.tasks import Tasks

BEGUN_AT_ONCE = 32  # tasks
CALLS_AT_ONCE = 16
LONGEST_S = 0.01  # a call that takes longer no longer holds up others


class PacedTasks(Tasks):
    """Tasks of which BEGUN_AT_ONCE begin in one turn of the event loop, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = 0  # in this turn
        self._turn_ends = False  # `_next` is called at the end of this turn
        self._waiting: deque[Callable[[], Coroutine[Any, Any, object]]] = deque()

    def start_in_turn(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Begin a task now or in one of the next turns."""
        self._waiting.append(work)
        self._begin()

    async def stop(self) -> None:
        self._waiting.clear()
        await super().stop()

    def _begin(self) -> None:
        while self._waiting and self._begun < BEGUN_AT_ONCE:
            self._begun += 1
            self.start(self._waiting.popleft()())
        if not self._turn_ends:
            self._turn_ends = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._begun, self._turn_ends = 0, False
        if self._waiting:
            self._begin()


class Round:
    """Of the calls that FairTurns lets run at once: `free` more may begin."""

    __slots__ = ("free",)

    def __init__(self) -> None:
        self.free = CALLS_AT_ONCE


class FairTurns:
    """Calls of which CALLS_AT_ONCE run at once. Of those that wait, each room begins one in turn.

    While some wait, a new round begins after LONGEST_S at the latest: a store that is away holds up
    nothing but the calls that it does not answer.
    """

    def __init__(self) -> None:
        self._round = Round()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[Round]]] = OrderedDict()
        self._renewal: asyncio.TimerHandle | None = None

    async def begin(self, room: Hashable) -> Round:
        """Wait for the turn of a call in `room`. What it returns is for `end`."""
        if self._round.free and not self._waiting:
            self._round.free -= 1
            return self._round
        turn: asyncio.Future[Round] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(room, deque()).append(turn)
        if self._renewal is None:
            self._renewal = asyncio.get_running_loop().call_later(LONGEST_S, self._renew)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given in this turn of the event loop
                self.end(turn.result())
            raise

    def end(self, round_: Round) -> None:
        """A call that had begun has ended."""
        round_.free += 1
        if round_ is self._round:
            self._fill()

    def _renew(self) -> None:
        self._renewal = None
        self._round = Round()
        self._fill()
        if self._waiting:
            self._renewal = asyncio.get_running_loop().call_later(LONGEST_S, self._renew)

    def _fill(self) -> None:
        while self._waiting and self._round.free:
            room, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[room] = turns
            if not turn.done():  # else it was cancelled
                self._round.free -= 1
                turn.set_result(self._round)
