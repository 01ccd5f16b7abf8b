"""The ratios of the last full run, kept in the repository, and the comparison with them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.figures import MEASURES, Better, RowResult
from loadtest.bench.machine import BenchError

FILE = "ratios.json"
ALLOWED_LOSS = 0.15
STEADY_LOSS = 0.05
# No clock is in them, and what they count is large.
STEADY = ("memory_per_state", "message_memory", "all_memory")


@dataclass(frozen=True)
class Kept:
    """One ratio of the last full run."""

    ratio: float
    better: Better

    def loss(self, ratio: float) -> float:
        """By which share a new ratio is worse; negative when it is better."""
        return 1 - (ratio / self.ratio if self.better is Better.HIGHER else self.ratio / ratio)


def allowed_loss(row: str) -> float:
    """By which share the ratio of a row may be worse than the one that is kept."""
    return STEADY_LOSS if row in STEADY else ALLOWED_LOSS


def write(path: Path, outcomes: Mapping[str, RowResult]) -> None:
    """Keep the ratios of the rows that have one."""
    kept = {
        row: {"measure": MEASURES[row].what, "ratio": round(outcome.ratio, 4), "better": MEASURES[row].better.value}
        for row, outcome in outcomes.items()
        if outcome.ratio is not None
    }
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Kept]:
    """The ratios of the last full run by row. Raises BenchError when there are none."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {row: Kept(float(one["ratio"]), Better(one["better"])) for row, one in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"there are no ratios to compare with ({error}); run `make bench` first") from None
