import math

import pytest

from bench.report.fitting import fit, student_t


def test_the_exponent_of_a_power_is_found_exactly() -> None:
    fitted = fit([(n, 3 * n**0.25) for n in (10_000, 100_000, 1_000_000)])
    assert math.isclose(fitted.exponent, 0.25)
    assert math.isclose(fitted.low, fitted.high, abs_tol=1e-9)
    assert fitted.verdict(0.3) == "met"
    assert fitted.verdict(0.1) == "missed"


def test_scattered_points_widen_the_interval_until_the_verdict_is_unclear() -> None:
    points = [(n, 1 + noise) for n in (10_000, 100_000) for noise in (0.0, 0.4, 0.8)]
    fitted = fit(points)
    assert abs(fitted.exponent) < 1e-9
    assert fitted.low < -0.1 < 0.1 < fitted.high
    assert fitted.verdict(0.1) == "unclear"


def test_the_interval_is_the_textbooks() -> None:
    fitted = fit([(math.e, math.e**1.0), (math.e**2, math.e**2.5), (math.e**3, math.e**3.0)])
    assert math.isclose(fitted.exponent, 1.0)
    error = math.sqrt((1 / 6 + 1 / 36 - 1 / 36) / 1 / 2)  # residuals -1/6, 1/3, -1/6
    assert math.isclose(fitted.high - fitted.exponent, 12.706 * error, rel_tol=1e-6)


def test_a_fit_of_one_size_is_refused() -> None:
    with pytest.raises(ValueError, match="two sizes"):
        fit([(10, 1.0), (10, 2.0), (10, 3.0)])


def test_students_t_falls_with_the_degrees_of_freedom() -> None:
    values = [student_t(freedom) for freedom in (1, 2, 10, 12, 15, 21, 40, 60, 1_000)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 12.706
    assert values[-1] == 1.96
