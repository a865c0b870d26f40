"""Growth as an SVG: costs by users, followees or posts, on logarithmic axes, with fitted lines."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, exp, floor, log, log10
from statistics import fmean
from typing import Any

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 50, 60
"""Margins of the axes; the legend is in the right one."""
COLOURS = ("#1b6ca8", "#c1440e", "#2e7d32", "#7b3f9d", "#8a6d00", "#00838f", "#ad1457", "#455a64")

HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
    f'height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="13">'
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    f'<text x="{LEFT}" y="28" font-size="16" fill="#222">'
    "Cost by number of users, followees or posts, each divided by its counterpart's</text>"
)


def svg(growths: Sequence[Mapping[str, Any]]) -> str:
    """The picture of growths as in the result file. One at least must have points."""
    points = [point for growth in growths for point in growth["points"]]
    axes = _Axes([x for x, _ in points], [y for _, y in points])
    parts = [HEAD, axes.grid()]
    for number, growth in enumerate(growths):
        parts.append(_series(axes, growth, COLOURS[number % len(COLOURS)], number))
    return "\n".join([*parts, "</svg>\n"])


class _Axes:
    """Logarithmic axes over whole powers of ten."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self._x_powers = _powers(xs)
        self._y_powers = _powers(ys)

    def x(self, value: float) -> float:
        """The distance from the left edge."""
        low, high = self._x_powers
        return LEFT + (log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """The distance from the upper edge."""
        low, high = self._y_powers
        return HEIGHT - BOTTOM - (log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        """A line and a label at each power of ten."""
        lines = []
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        for power in range(self._x_powers[0], self._x_powers[1] + 1):
            x = self.x(10.0**power)
            lines.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#ddd"/>')
            lines.append(_label(x, bottom + 20, _users(power), "middle"))
        for power in range(self._y_powers[0], self._y_powers[1] + 1):
            y = self.y(10.0**power)
            lines.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
            lines.append(_label(LEFT - 8, y + 4, f"{10.0**power:g}", "end"))
        lines.append(
            _label((LEFT + right) / 2, HEIGHT - 16, "users, or what the row names", "middle")
        )
        return "\n".join(lines)


def _powers(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around the values, at least one apart."""
    low = floor(log10(min(values)))
    return low, max(ceil(log10(max(values))), low + 1)


def _series(axes: _Axes, growth: Mapping[str, Any], colour: str, number: int) -> str:
    """A row's points, its fitted line, and its line of the legend."""
    dots = [
        f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3.5" fill="{colour}"'
        ' fill-opacity="0.6"/>'
        for x, y in growth["points"]
    ]
    users = [x for x, _ in growth["points"]]
    ends = [(x, _fitted_cost(growth, x)) for x in (min(users), max(users))]
    path = "L".join(f"{axes.x(x):.1f} {axes.y(y):.1f}" for x, y in ends)
    low, high = growth["interval"]
    legend = f"{growth['row']}: b = {growth['exponent']:.3f} ({low:.3f}..{high:.3f})"
    y = TOP + 16 + 22 * number
    left = WIDTH - RIGHT + 18
    return "\n".join(
        [
            *dots,
            f'<path d="M{path}" stroke="{colour}" stroke-width="2" fill="none"/>',
            f'<circle cx="{left}" cy="{y - 4}" r="4" fill="{colour}"/>',
            _label(left + 12, y, legend, "start"),
        ]
    )


def _fitted_cost(growth: Mapping[str, Any], users: float) -> float:
    """The cost on the least-squares line, which goes through the mean of the points' logarithms."""
    mean_x = fmean(log(x) for x, _ in growth["points"])
    mean_y = fmean(log(y) for _, y in growth["points"])
    return exp(mean_y + growth["exponent"] * (log(users) - mean_x))


def _users(power: int) -> str:
    number = 10**power
    for size, sign in ((1_000_000, " M"), (1_000, " k")):
        if number >= size:
            return f"{number // size}{sign}"
    return str(number)


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{escape(text)}</text>'
