"""The report as one HTML page that needs nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from readstate.bench.percentiles import PERCENTILES
from readstate.bench.result import Result, Step

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { padding: .25em .8em; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } tr + tr { border-top: 1px solid #ddd }
.verdict { font-size: 1.2em } .wrong { color: #b00 } svg { max-width: 100%; height: auto }
"""
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 260, 120, 20, 40
_NAMES = [f"{percent:g}" for percent in PERCENTILES]


def page(result: Result) -> str:
    """The page."""
    return "".join(_parts(result))


def _parts(result: Result) -> Iterator[str]:
    yield "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>readstate bench</title>"
    yield f"<style>{_STYLE}</style></head><body><h1>readstate bench</h1>"
    yield f"<p class='verdict'>{escape(result.verdict())}</p>"
    wrong = " class='wrong'" if result.wrong_notices else ""
    yield f"<p{wrong}>{escape(result.verdict_of_notices())}</p>"
    for doubt in result.doubts():
        yield f"<p class='wrong'>{escape(doubt)}</p>"
    yield "<h2>What was loaded, and how</h2>"
    yield _table(("", ""), result.facts)
    yield "<h2>Latency by rate</h2>"
    yield "<p>From the moment that was fixed for a call to its answer, in milliseconds.</p>"
    steps = sorted(result.steps, key=lambda step: step.offered)
    yield _picture(steps, result.p99_ms)
    head = ("calls a second", "calls", "failed", *(f"p{name}" for name in _NAMES), "driver late, p99", "")
    yield _table(head, [_row(step, result.p99_ms) for step in steps], numbers=len(head) - 1)
    if best := result.best:
        yield f"<h2>By operation, at {best.offered:,.0f} calls a second</h2>"
        rows = [(name, *_milliseconds(those)) for name, those in best.by_operation.items()]
        if result.notice_ms:
            rows.append(("notice, of all rates", *_milliseconds(result.notice_ms)))
        yield _table(("", *(f"p{name}" for name in _NAMES)), rows)
    yield "</body></html>\n"


def _row(step: Step, p99_ms: float) -> tuple[str, ...]:
    said = "kept" if step.is_kept(p99_ms) else "given up: it does not keep up" if step.is_hopeless else "too high"
    failed = ", ".join(f"{count} x {status or 'no answer'}" for status, count in step.statuses.items() if status != 200)
    late = f"{step.lag_ms['99']:.1f}" if step.lag_ms else ""
    return (f"{step.offered:,.0f}", f"{step.calls:,}", failed or "0", *_milliseconds(step.latency_ms), late, said)


def _milliseconds(by_percentile: dict[str, float]) -> list[str]:
    return [f"{by_percentile[name]:.1f}" if name in by_percentile else "" for name in _NAMES]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """`numbers`: so many of the first columns are numbers."""
    kinds = [" class='n'" if index < numbers else "" for index in range(len(head))]
    titles = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    lines = "".join(
        f"<tr>{''.join(f'<td{kind}>{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    return f"<table><tr>{titles}</tr>{lines}</table>" if any(head) else f"<table>{lines}</table>"


def _picture(steps: Sequence[Step], p99_ms: float) -> str:
    """p50 and p99 by rate, and the bound. Values above four times the bound are drawn there."""
    if not steps:
        return ""
    widest, highest = steps[-1].offered, p99_ms * 4

    def point(rate: float, milliseconds: float) -> tuple[float, float]:
        across = _LEFT + (_WIDTH - _LEFT - 20) * rate / widest
        return across, (_HEIGHT - _BOTTOM) * (1 - min(milliseconds, highest) / highest) + _TOP

    drawn = []
    for milliseconds in (0.0, p99_ms, p99_ms * 2, p99_ms * 3, highest):
        up = point(0, milliseconds)[1]
        colour = "#b00" if milliseconds == p99_ms else "#ddd"
        words = f"{milliseconds:g} ms{' and more' if milliseconds == highest else ''}"
        drawn.append(f"<line x1='{_LEFT}' x2='{_WIDTH - 20}' y1='{up:.0f}' y2='{up:.0f}' stroke='{colour}'/>")
        drawn.append(f"<text x='{_LEFT - 8}' y='{up + 4:.0f}' text-anchor='end'>{words}</text>")
    drawn.append(f"<text x='{_LEFT + 8}' y='{point(0, p99_ms)[1] - 5:.0f}' fill='#b00'>bound</text>")
    for name, colour in (("50", "#0a7"), ("99", "#06c")):
        points = [point(step.offered, step.latency_ms[name]) for step in steps if name in step.latency_ms]
        drawn.append(_line(points, colour, f"p{name}"))
    for number, step in enumerate(steps):
        across, bottom = point(step.offered, 0)
        below = bottom + 16 + number % 2 * 14  # in two rows: the last rates of a search are near each other
        drawn.append(f"<text x='{across:.0f}' y='{below:.0f}' text-anchor='middle'>{step.offered:,.0f}</text>")
    drawn.append(f"<text x='{_WIDTH - 20}' y='{_HEIGHT + _TOP + 8}' text-anchor='end'>calls a second</text>")
    inside = "".join(drawn)
    return f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT + 30}' font-size='12' font-family='sans-serif'>{inside}</svg>"


def _line(points: Sequence[tuple[float, float]], colour: str, name: str) -> str:
    if not points:
        return ""
    path = " ".join(f"{across:.1f},{up:.1f}" for across, up in points)
    dots = "".join(f"<circle cx='{across:.1f}' cy='{up:.1f}' r='3' fill='{colour}'/>" for across, up in points)
    across, up = points[-1]
    label = f"<text x='{across - 8:.0f}' y='{up - 8:.0f}' text-anchor='end' fill='{colour}'>{name}</text>"
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>{dots}{label}"
