"""The growth of a cost: the exponent b of cost ~ users^b, by least squares on logarithms."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import fmean

T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Student's t, two-sided, 95 %, for 1 to 10 degrees of freedom."""
T_95_MORE = ((15, 2.131), (20, 2.086), (30, 2.042), (60, 2.000))
"""(degrees of freedom, t) for some larger values."""
T_95_LIMIT = 1.96
"""The limit for many degrees of freedom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The exponent and its 95 % interval."""

    exponent: float
    low: float
    high: float

    def verdict(self, target: float) -> str:
        """`met` or `missed` by the exponent; `unclear` if the interval includes the target."""
        if self.low < target < self.high:
            return "unclear"
        return "met" if self.exponent <= target else "missed"


def fit(points: Sequence[tuple[float, float]]) -> Fit:
    """The fit of (users, cost) points.

    Raises ValueError for fewer than three points, or than two sizes.
    """
    xs, ys = [log(users) for users, _ in points], [log(cost) for _, cost in points]
    mean_x, mean_y = fmean(xs), fmean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    freedom = len(points) - 2
    if freedom < 1 or not spread:
        raise ValueError("a fit takes three points, of two sizes or more")
    exponent = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
    residuals = [y - mean_y - exponent * (x - mean_x) for x, y in zip(xs, ys, strict=True)]
    error = sqrt(sum(residual**2 for residual in residuals) / freedom / spread)
    half = student_t(freedom) * error
    return Fit(exponent=exponent, low=exponent - half, high=exponent + half)


def student_t(freedom: int) -> float:
    """Student's t for these degrees of freedom, or for the next fewer ones of the table."""
    if freedom <= len(T_95):
        return T_95[freedom - 1]
    if freedom > 10 * T_95_MORE[-1][0]:
        return T_95_LIMIT
    return [t for degrees, t in ((len(T_95), T_95[-1]), *T_95_MORE) if degrees <= freedom][-1]
