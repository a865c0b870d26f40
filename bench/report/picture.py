"""Growth as an SVG: cost by number of users, both by their logarithms, points and fit a row."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, exp, floor, log, log10
from statistics import fmean
from typing import Any

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 50, 60
COLOURS = ("#1b6ca8", "#c1440e", "#2e7d32", "#7b3f9d", "#8a6d00", "#00838f", "#ad1457", "#455a64")

HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
    f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13">'
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    f'<text x="{LEFT}" y="28" font-size="16" fill="#222">'
    "Cost by number of users, each divided by its counterpart's</text>"
)


def svg(growths: Sequence[Mapping[str, Any]]) -> str:
    """The picture. `growths` as the result file has them, at least one with points."""
    points = [point for growth in growths for point in growth["points"]]
    frame = _Frame([x for x, _ in points], [y for _, y in points])
    parts = [HEAD, frame.grid()]
    for at, growth in enumerate(growths):
        parts.append(_series(frame, growth, COLOURS[at % len(COLOURS)], at))
    return "\n".join([*parts, "</svg>\n"])


class _Frame:
    """Where a value lies on the paper."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self._x = floor(log10(min(xs))), max(ceil(log10(max(xs))), floor(log10(min(xs))) + 1)
        self._y = floor(log10(min(ys))), max(ceil(log10(max(ys))), floor(log10(min(ys))) + 1)

    def x(self, value: float) -> float:
        """From the left."""
        low, high = self._x
        return LEFT + (log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """From the top."""
        low, high = self._y
        return HEIGHT - BOTTOM - (log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        """A line and a label at each power of ten."""
        lines = []
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        for power in range(self._x[0], self._x[1] + 1):
            x = self.x(10.0**power)
            lines.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#ddd"/>')
            lines.append(_label(x, bottom + 20, _users(power), "middle"))
        for power in range(self._y[0], self._y[1] + 1):
            y = self.y(10.0**power)
            lines.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
            lines.append(_label(LEFT - 8, y + 4, f"{10.0**power:g}", "end"))
        lines.append(_label((LEFT + right) / 2, HEIGHT - 16, "users", "middle"))
        return "\n".join(lines)


def _series(frame: _Frame, growth: Mapping[str, Any], colour: str, at: int) -> str:
    dots = [
        f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3.5" fill="{colour}"'
        ' fill-opacity="0.6"/>'
        for x, y in growth["points"]
    ]
    users = [x for x, _ in growth["points"]]
    ends = [(x, _fitted(growth, x)) for x in (min(users), max(users))]
    path = "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in ends)
    low, high = growth["interval"]
    said = f"{growth['row']}: b = {growth['exponent']:.3f} ({low:.3f}..{high:.3f})"
    y = TOP + 16 + 22 * at
    left = WIDTH - RIGHT + 18
    key = f'<circle cx="{left}" cy="{y - 4}" r="4" fill="{colour}"/>'
    return "\n".join(
        [
            *dots,
            f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>',
            key,
            _label(left + 12, y, said, "start"),
        ]
    )


def _fitted(growth: Mapping[str, Any], users: float) -> float:
    """The line of that exponent through the middle of the points, as least squares has it."""
    middle_x = fmean(log(x) for x, _ in growth["points"])
    middle_y = fmean(log(y) for _, y in growth["points"])
    return exp(middle_y + growth["exponent"] * (log(users) - middle_x))


def _users(power: int) -> str:
    number = 10**power
    for size, sign in ((1_000_000, " M"), (1_000, " k")):
        if number >= size:
            return f"{number // size}{sign}"
    return str(number)


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{escape(text)}</text>'
