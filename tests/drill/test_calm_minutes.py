from drill.calm_minutes import calm_minutes, is_calm


def test_each_second_minute_of_a_long_drill_is_calm() -> None:
    assert calm_minutes(600) == [(60, 120), (180, 240), (300, 360), (420, 480), (540, 600)]


def test_the_second_half_of_a_short_drill_is_calm() -> None:
    assert calm_minutes(60) == [(30, 60)]


def test_a_time_is_calm_if_a_part_of_it_lies_in_a_calm_minute() -> None:
    spans = [(30.0, 60.0), (90.0, 120.0)]
    assert is_calm(spans, 25, 31)
    assert is_calm(spans, 40, 40)
    assert is_calm(spans, 119, 200)
    assert not is_calm(spans, 60, 90)
    assert not is_calm(spans, 0, 30)
