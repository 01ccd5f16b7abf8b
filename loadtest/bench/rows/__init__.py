"""The rows of the table, by the letter that the report uses. Each takes the Stage and gives an Outcome."""

from collections.abc import Callable

from loadtest.bench.figures import Outcome
from loadtest.bench.rows import dearest, http, latency, memory, posts, receipts, script, size
from loadtest.bench.stage import Stage

ROWS: dict[str, Callable[[Stage], Outcome]] = {
    "a": http.ceiling,
    "b": http.pool,
    "c": http.badge,
    "d": http.bulk,
    "e": latency.open_arrivals,
    "f": script.bare,
    "g": posts.by_room_size,
    "h": memory.per_state,
    "i": size.many_states,
    "j": http.workers,
    "k": receipts.page,
    "l": receipts.journal,
    "m": receipts.against_rows,
    "n": script.events,
    "o": dearest.calls_at_the_limits,
}
