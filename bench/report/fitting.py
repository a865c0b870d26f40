"""How a cost grows: the exponent b of cost ~ users^b, by least squares on logarithms."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import fmean

T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, two-sided, 95 %, for 1 to 10 degrees of freedom."""
T_95_MORE = ((15, 2.131), (20, 2.086), (30, 2.042), (60, 2.000))
T_95_MANY = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The exponent and its 95 % interval."""

    exponent: float
    low: float
    high: float

    def verdict(self, target: float) -> str:
        """Met or missed by the exponent; unclear where the target lies within the interval."""
        if self.low < target < self.high:
            return "unclear"
        return "met" if self.exponent <= target else "missed"


def fit(points: Sequence[tuple[float, float]]) -> Fit:
    """The fit of (users, cost) points of at least two sizes, three points or more.

    Raises ValueError where there are fewer.
    """
    xs, ys = [log(users) for users, _ in points], [log(cost) for _, cost in points]
    mean_x, mean_y = fmean(xs), fmean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    freedom = len(points) - 2
    if freedom < 1 or not spread:
        raise ValueError("a fit takes three points, of two sizes or more")
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    residuals = [y - mean_y - exponent * (x - mean_x) for x, y in zip(xs, ys, strict=True)]
    error = sqrt(sum(one**2 for one in residuals) / freedom / spread)
    half = student(freedom) * error
    return Fit(exponent=exponent, low=exponent - half, high=exponent + half)


def student(freedom: int) -> float:
    """Student's t for so many degrees of freedom, or for the next fewer that the table has."""
    if freedom <= len(T_95):
        return T_95[freedom - 1]
    known = [t for degrees, t in ((len(T_95), T_95[-1]), *T_95_MORE) if degrees <= freedom]
    return T_95_MANY if freedom > 10 * T_95_MORE[-1][0] else known[-1]
