"""`make bench-check`: measure the ratios again, shortly, and compare them with those of the last full run."""

from collections.abc import Callable, Mapping

from loadtest.bench.figures import Outcome, say
from loadtest.bench.ratios import ALLOWED_LOSS, Kept

# Not e and o, which have times only; not i, whose size is what takes long, and whose tail a short run does not show.
ROWS = ("a", "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n")
TRIES = 3  # a busy moment is no loss: a row is lost when it is so every time


def check(rows: Mapping[str, Callable[[], Outcome]], kept: Mapping[str, Kept]) -> list[str]:
    """Measure each of `rows` that has a kept ratio; a sentence for each that has lost too much."""
    lost = []
    for row, measure in rows.items():
        if row not in kept:
            say(f"row {row}: nothing to compare with")
            continue
        sentence = _compare(row, measure, kept[row])
        if sentence:
            lost.append(sentence)
    return lost


def _compare(row: str, measure: Callable[[], Outcome], kept: Kept) -> str:
    """ "" when the ratio holds at one of the tries."""
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
        if loss <= ALLOWED_LOSS:
            return ""
    return sentence
