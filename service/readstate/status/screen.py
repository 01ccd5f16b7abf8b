"""The numbers on one screen."""

from collections.abc import Sequence

from msgspec import Struct
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table

from readstate.status.numbers import Between
from readstate.store.backlog import Backlog

MOST_OPERATIONS, MOST_OUTCOMES = 10, 5
_REQUESTS = "readstate_request_seconds"
_MIB = 1024 * 1024

Row = tuple[str, str]


class StoreFacts(Struct, frozen=True):
    """What the store says of itself."""

    product: str
    primaries: int
    workers: int  # that use it, on all machines
    warnings: Sequence[str]  # of other keys
    backlog: Backlog


def screen(url: str, readiness: str, between: Between, store: StoreFacts) -> RenderableType:
    """All of it: what /readyz said, the numbers of a stretch of time, and the store."""
    panels = [
        _panel("Service", _service(url, readiness, between, store)),
        _panel("Sockets", _sockets(between)),
        _panel("Store", _store(between, store)),
        _panel("Webhooks", _webhooks(between, store.backlog)),
    ]
    return Group(Columns(panels), _operations(between), *_outcomes(between))


def _service(url: str, readiness: str, between: Between, store: StoreFacts) -> list[Row]:
    first, *others = readiness.strip().splitlines() or ["no answer"]
    warnings = [line for line in others if line.startswith("warning: ")] + [f"warning: {one}" for one in store.warnings]
    replaced = [
        f"{labels['process']} {value:.0f}"
        for labels, value in between.now.each("readstate_processes_replaced_total")
        if value
    ]
    return [
        ("address", url),
        ("state", first),
        *(("", warning) for warning in warnings),
        ("workers", f"{store.workers} on this store"),
        ("replaced", ", ".join(replaced) or "none"),
        ("calls", f"{between.rate(f'{_REQUESTS}_count'):,.1f} /s"),
    ]


def _sockets(between: Between) -> list[Row]:
    return [
        ("open", f"{between.now.total('readstate_open_sockets'):,.0f}"),
        ("notices", f"{between.rate('readstate_notices_sent_total'):,.1f} /s"),
        ("dropped", f"{between.now.total('readstate_notices_dropped_total'):,.0f} so far"),
        ("gaps", f"{between.now.total('readstate_notice_gaps_total'):,.0f} so far"),
    ]


def _store(between: Between, store: StoreFacts) -> list[Row]:
    used = between.now.total("readstate_store_memory_bytes")
    limit = between.now.total("readstate_store_memory_limit_bytes")
    share = f", {used / limit:.0%} of {limit / _MIB:,.0f} MB" if limit else ", no limit"
    nodes = f", {store.primaries} primaries" if store.primaries > 1 else ""
    return [
        ("server", store.product + nodes),
        ("memory", f"{used / _MIB:,.0f} MB{share}"),
        ("round trips", f"{between.rate('readstate_redis_round_trips_total'):,.1f} /s"),
        ("scripts ended", f"{between.now.total('readstate_scripts_killed_total'):,.0f} so far"),
        ("pending updates", f"{store.backlog.pending_updates:,}"),
    ]


def _webhooks(between: Between, backlog: Backlog) -> list[Row]:
    return [
        ("waiting", f"{backlog.waiting_events:,}"),
        ("delivered", f"{between.rate('readstate_webhooks_delivered_total'):,.1f} /s"),
        ("failed", f"{between.rate('readstate_webhooks_failed_total'):,.1f} /s"),
        ("lag", _duration(between.mean_s("readstate_webhook_lag_seconds"))),
        ("dead letters", f"{backlog.dead_letters:,}"),
    ]


def _operations(between: Between) -> RenderableType:
    table = Table("operation", title="Calls", title_justify="left", expand=False)
    for heading in ("/s", "mean", "99 % within"):
        table.add_column(heading, justify="right")
    rates = between.rates(f"{_REQUESTS}_count", "operation")
    for operation, rate in list(rates.items())[:MOST_OPERATIONS]:
        table.add_row(
            operation,
            f"{rate:,.1f}",
            _duration(between.mean_s(_REQUESTS, operation=operation)),
            _duration(between.quantile_s(_REQUESTS, 0.99, operation=operation)),
        )
    return table if rates else "no calls"


def _outcomes(between: Between) -> list[str]:
    """What was not answered with ok."""
    rates = between.rates(f"{_REQUESTS}_count", "outcome")
    others = [f"{outcome} {rate:,.1f} /s" for outcome, rate in rates.items() if outcome != "ok"]
    return [f"refused or failed: {', '.join(others[:MOST_OUTCOMES])}"] if others else []


def _panel(title: str, rows: Sequence[Row]) -> Panel:
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*row)
    return Panel(grid, title=title, title_align="left", expand=False)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"
