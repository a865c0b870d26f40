"""The drill of the alerts: the rules made faster, and phases that cover every alert."""

import yaml

from drill.alerts.phases import NOT_PROVOKED, PHASES, Phase
from drill.alerts.rules import FACTOR, RULES, fast_rules, names


def test_every_time_of_the_rules_is_divided_and_nothing_else() -> None:
    real, fast = yaml.safe_load(RULES.read_text()), fast_rules()
    assert names(real) == names(fast)
    pairs = zip(real["groups"][0]["rules"], fast["groups"][0]["rules"], strict=True)
    for before, after in pairs:
        assert after["annotations"] == before["annotations"]
        assert _seconds(after["for"]) * FACTOR == _seconds(before["for"])
        assert after["expr"].count("[") == before["expr"].count("[")
    late, *_ = fast["groups"][0]["rules"]
    assert late["expr"] == "photofeed_oldest_due_event_seconds > 90"
    assert "[30s]" in str(fast["groups"][0]["rules"][5]["expr"])


def test_every_alert_is_expected_in_a_phase_or_named_as_not_provoked() -> None:
    expected = {name for phase in PHASES for name in phase.expected}
    assert expected.isdisjoint(NOT_PROVOKED)
    assert expected | NOT_PROVOKED == set(names(fast_rules()))


def test_every_alert_that_a_phase_allows_exists() -> None:
    known = set(names(fast_rules()))
    assert all(phase.allowed <= known for phase in PHASES)


def test_the_first_phase_is_without_trouble_and_allows_no_alert() -> None:
    assert not PHASES[0].troubles
    assert not PHASES[0].expected | PHASES[0].allowed


def test_a_silent_alert_and_a_false_one_are_faults() -> None:
    phase = Phase(
        name="trouble",
        seconds=1,
        expected=frozenset({"StoreDown", "ServerErrors"}),
        allowed=frozenset({"WorkIsLate"}),
    )
    assert not phase.has_all({"StoreDown"})
    assert phase.has_all({"StoreDown", "ServerErrors", "FailingOpen"})
    assert list(phase.faults({"StoreDown", "WorkIsLate", "FailingOpen"})) == [
        "trouble: ServerErrors did not fire",
        "trouble: FailingOpen is a false alarm",
    ]


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3_600}[text[-1]]
