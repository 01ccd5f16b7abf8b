"""What a load has found, and whether a rate was kept."""

from dataclasses import dataclass, field

from readstate.bench.driver import Tally
from readstate.bench.ledger import LATE_S, Balance
from readstate.bench.percentiles import percentiles

FAILED_AT_MOST = 0.001  # of the calls of a step that is kept
# The driver's own lateness (p99), beyond which its figures tell more of it than of the service.
LATE_MS = 10.0
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class Step:
    """One rate."""

    offered: float
    calls: int
    seconds: float
    statuses: dict[int, int]
    latency_ms: dict[str, float]  # by percentile
    by_operation: dict[str, dict[str, float]]
    lag_ms: dict[str, float]  # the driver's own lateness
    is_hopeless: bool

    @classmethod
    def of(cls, tally: Tally) -> "Step":
        return cls(
            offered=tally.offered,
            calls=tally.calls,
            seconds=tally.seconds,
            statuses=dict(tally.statuses),
            latency_ms=percentiles(tally.all_latencies()),
            by_operation={name: percentiles(those) for name, those in sorted(tally.latencies_s.items())},
            lag_ms=percentiles(tally.lags_s),
            is_hopeless=tally.is_hopeless,
        )

    @property
    def failed(self) -> int:
        return self.calls - self.statuses.get(200, 0)

    def is_kept(self, p99_ms: float) -> bool:
        """Whether the service kept up, nearly without failures, and with a p99 of at most that."""
        p99 = self.latency_ms.get("99")
        return p99 is not None and p99 <= p99_ms and not self.is_hopeless and self.failed <= self.calls * FAILED_AT_MOST


@dataclass
class Result:
    """A whole run."""

    p99_ms: float  # the bound
    facts: list[tuple[str, str]]  # what the figures depend on
    steps: list[Step] = field(default_factory=list)
    balance: Balance | None = None
    notice_ms: dict[str, float] = field(default_factory=dict)
    lost_sockets: int = 0

    @property
    def best(self) -> Step | None:
        """The step with the highest rate that was kept."""
        kept = [step for step in self.steps if step.is_kept(self.p99_ms)]
        return max(kept, key=lambda step: step.offered, default=None)

    def verdict(self) -> str:
        """In a sentence."""
        best = self.best
        if best is None:
            return f"No rate that was tried keeps a p99 of {self.p99_ms:g} ms."
        higher = [step.offered for step in self.steps if step.offered > best.offered]
        until = f"; at {min(higher):,.0f} it does not" if higher else ", the highest that was tried"
        return f"At {best.offered:,.0f} calls a second p99 is within {self.p99_ms:g} ms{until}."

    def verdict_of_notices(self) -> str:
        """In a sentence."""
        if self.balance is None:
            return "No socket listened."
        one = self.balance
        words = "Every notice came once and in order." if not self.wrong_notices else "NOTICES WENT WRONG."
        return (
            f"{words} {one.arrived:,} arrived; missing {one.missing}, duplicate {one.duplicate}, "
            f"reordered {one.reordered}, unexpected {one.unexpected}; {one.superseded} were told by a newer one, "
            f"{one.late} came after more than {LATE_S:.0f} s; sockets lost {self.lost_sockets}."
        )

    @property
    def wrong_notices(self) -> bool:
        return self.balance is not None and (self.balance.wrong > 0 or self.lost_sockets > 0)

    def doubts(self) -> list[str]:
        """What stands against the figures."""
        said = []
        if any(TOO_MANY_REQUESTS in step.statuses for step in self.steps):
            said.append("Calls were refused with 429: the rate limits of users were reached. Give more --users.")
        # Of rates that were all too high the lowest tells most.
        judged = self.best or min(self.steps, key=lambda step: step.offered, default=None)
        late = judged.lag_ms.get("99", 0.0) if judged else 0.0
        if late > LATE_MS:
            said.append(f"The driver itself was late by {late:.1f} ms (p99): its machine is too busy for these rates.")
        return said
