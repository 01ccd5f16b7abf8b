"""How many client events are carried out at once, and in which order the others follow.

A thousand members who read one message at the same moment send a thousand events in one turn of the
event loop. Were all of them carried out side by side, each step of a call in another room would
wait behind a thousand such steps.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable

AT_ONCE = 16


class FairTurns:
    """AT_ONCE events are carried out at once. Rooms take turns with those that wait."""

    def __init__(self) -> None:
        self._free = AT_ONCE
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    async def begin(self, room: Hashable) -> None:
        """Wait for the turn of an event in `room`. `end` must be called after it."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(room, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given in this turn of the event loop
                self.end()
            raise

    def end(self) -> None:
        """An event was carried out: the next one may begin."""
        while self._waiting:
            room, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[room] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
