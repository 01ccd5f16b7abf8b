"""How long notices take: from the moment at which a read is due to their arrival at each socket."""

from array import array

from loadtest.bench.calls import message_id
from loadtest.bench.crowd import Crowd
from loadtest.bench.population import Population
from readstate.bench.percentiles import percentiles


class NoticeTiming:
    """Times the notices of the reads that `population` makes in its order.

    Give `on_call` to the callers and `on_notice` to the crowd. Messages that are read in a round
    have the same id in all rooms, so a notice is known by room, member and message.
    """

    def __init__(self, population: Population) -> None:
        self._pairs = [(room.encode(), user.encode()) for user, room in population.pairs()]
        self._due: dict[tuple[bytes, bytes, bytes], float] = {}
        self.latencies_s = array("d")

    def on_call(self, position: int, due: float) -> None:
        """The call at `position` is due."""
        round_, number = divmod(position, len(self._pairs))
        self._due[(*self._pairs[number], message_id(round_ + 1).encode())] = due

    def on_notice(self, notice: tuple[bytes, bytes, bytes], at: float) -> None:
        """A socket has heard a notice."""
        due = self._due.get(notice)
        if due is not None:
            self.latencies_s.append(at - due)

    def watch(self, crowd: Crowd | None) -> None:
        """Begin anew, and time what this crowd hears."""
        self.latencies_s = array("d")
        self._due.clear()
        if crowd is not None:
            crowd.on_notice = self.on_notice

    def percentiles(self) -> dict[str, float]:
        """Milliseconds, by the name of the percentile."""
        return percentiles(self.latencies_s)
