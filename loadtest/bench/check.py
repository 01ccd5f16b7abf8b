"""`make bench-check`: a short run, compared with the ratios of the last full one."""

from collections.abc import Callable, Mapping

from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.ratios import Kept, allowed_loss

# These have times only, which differ between machines. many_states and hostile_sockets take long,
# and a short run does not show their tail.
LEFT_OUT = (
    "open_latency",
    "many_states",
    "dearest_calls",
    "delivery_cpu",
    "unconcerned_notice",
    "notice_latency",
    "idle_sockets",
    "connecting",
    "many_sockets",
    "churn_memory",
    "hostile_sockets",
    "read_storm",
)
ROWS = tuple(name for name in MEASURES if name not in LEFT_OUT)
TRIES = 3  # a busy moment is no loss: a row has lost only when every try has


def check(rows: Mapping[str, Callable[[], RowResult]], kept: Mapping[str, Kept]) -> list[str]:
    """Measure each of `rows` that has a kept ratio. Returns a sentence for each lost one."""
    lost = []
    for row, measure in rows.items():
        if row not in kept:
            say(f"row {row}: nothing to compare with")
            continue
        sentence = _compare(row, measure, kept[row])
        if sentence:
            lost.append(sentence)
    return lost


def _compare(row: str, measure: Callable[[], RowResult], kept: Kept) -> str:
    """A sentence about the loss, or "" when the ratio holds at one of the tries."""
    sentence = ""
    for _ in range(TRIES):
        outcome = measure()
        if outcome.ratio is None:
            return f"row {row}: {outcome.measured}"
        loss = kept.loss(outcome.ratio)
        sentence = (
            f"row {row}: {outcome.ratio:.3f}, was {kept.ratio:.3f}: {abs(loss):.0%} {'worse' if loss > 0 else 'better'}"
        )
        say(sentence)
        if loss <= allowed_loss(row):
            return ""
    return sentence
