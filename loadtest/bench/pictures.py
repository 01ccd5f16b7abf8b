"""The plots, as SVG text: readable in a diff, on light and dark pages, without a library."""

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH = 720
INK, GRID, PAPER = "#444", "#ddd", "#fff"
COLOURS = ("#1b6ca8", "#d1495b", "#edae49", "#3f7d20")
_FONT = 'font-family="sans-serif" font-size="12"'


def bars(title: str, values: Sequence[tuple[str, float]], unit: str) -> str:
    """One horizontal bar for each value."""
    left, step, top = 250, 28, 44
    most = max(value for _, value in values)
    shapes = []
    for at, (name, value) in enumerate(values):
        y = top + at * step
        length = (WIDTH - left - 90) * value / most
        shapes.append(_text(left - 8, y + 14, name, "end"))
        shapes.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="18" fill="{COLOURS[0]}"/>')
        shapes.append(_text(left + length + 6, y + 14, f"{value:,.0f}"))
    return _picture(top + len(values) * step + 12, f"{title} ({unit})", shapes)


def lines(title: str, x_name: str, y_name: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """One line for each series of (x, y); y on a logarithmic scale."""
    left, right, top, bottom = 70, WIDTH - 90, 48, 320
    points = [point for line in series.values() for point in line]
    x_most = _round_up(max(x for x, _ in points))
    low = math.floor(math.log10(min(y for _, y in points)))
    high = max(low + 1, math.ceil(math.log10(max(y for _, y in points))))

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / x_most, bottom - (bottom - top) * (math.log10(y) - low) / (high - low)

    shapes = []
    for power in range(low, high + 1):
        _, y = place(0, 10.0**power)
        shapes += [_line(left, y, right, y, GRID), _text(left - 8, y + 4, f"{10.0**power:g}", "end")]
    for step in range(6):
        x, _ = place(x_most * step / 5, 10.0**low)
        shapes += [_line(x, top, x, bottom, GRID), _text(x, bottom + 18, f"{x_most * step / 5:,.0f}", "middle")]
    for (name, line), colour in zip(series.items(), COLOURS, strict=False):
        placed = [place(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        shapes.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in placed]
        shapes.append(_text(placed[-1][0] + 8, placed[-1][1] + 4, name, colour=colour))
    shapes += [_text((left + right) / 2, bottom + 40, x_name, "middle"), _text(left - 8, top - 10, y_name, "end")]
    return _picture(bottom + 56, title, shapes)


def _picture(height: float, title: str, shapes: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" {_FONT} role="img">'
    paper = f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    heading = f'<text x="16" y="24" fill="{INK}" font-weight="bold">{escape(title)}</text>'
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, heading, *shapes, "</svg>", ""])


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _round_up(value: float) -> float:
    """The next number that five steps lead to evenly."""
    unit = 10.0 ** math.floor(math.log10(value))
    return next(unit * factor for factor in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if unit * factor >= value)
