from bench.growth import different_plans


def test_statements_with_other_plans_are_named() -> None:
    assert different_plans({"a": ["Seek"], "b": ["Seek"]}, {"a": ["Seek"], "b": ["Scan"]}) == ["b"]
