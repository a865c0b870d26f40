"""The checker's other rules: answers, sessions, the end of a drill, lists in Redis, logs."""

from typing import Any

import pytest

from drill.checking.rules import check
from drill.history import History, Line
from drill.report import report
from storage.timeline_layout import ABOVE_NOTHING, DISORDER
from tests.drill.planted import ANA, BEN, EVE, Script
from tests.drill.test_reads import kinds


@pytest.fixture
def script() -> Script:
    """Ben follows Ana, who has posted 10 and 20."""
    script = Script()
    script.post(ANA, 10)
    script.follow(BEN, ANA)
    script.post(ANA, 20)
    return script


def ended(script: Script, *, following: dict[int, list[int]] | None = None) -> Script:
    """All is quiet, and everybody has said whom they follow."""
    script.wait(200)
    for viewer, ids in (following or {ANA: [], BEN: [ANA], EVE: []}).items():
        script.do("following", viewer=viewer, ids=ids)
    return script


def final(script: Script, viewer: int, *posts: tuple[int, int]) -> None:
    script.walk(viewer, list(posts), final=1)


def test_a_sound_ending_has_no_violation(script: Script) -> None:
    ended(script)
    final(script, ANA, (20, ANA), (10, ANA))
    final(script, BEN, (20, ANA), (10, ANA))
    final(script, EVE)
    assert kinds(script) == []


def test_a_post_lost_in_the_end_is_found(script: Script) -> None:
    ended(script)
    final(script, ANA, (20, ANA), (10, ANA))
    final(script, BEN, (10, ANA))
    assert set(kinds(script)) == {"not-delivered", "lost"}


def test_a_post_of_unknown_end_is_in_all_feeds_or_in_none(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    ended(script)
    final(script, ANA, (30, ANA), (20, ANA), (10, ANA))
    final(script, BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["lost"]


def test_a_post_of_unknown_end_may_be_in_no_feed(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    ended(script)
    final(script, ANA, (20, ANA), (10, ANA))
    final(script, BEN, (20, ANA), (10, ANA))
    assert kinds(script) == []


def test_a_deletion_of_unknown_end_is_done_for_all_or_for_none(script: Script) -> None:
    script.delete(ANA, 10, phase="info")
    ended(script)
    final(script, ANA, (20, ANA))
    final(script, BEN, (20, ANA), (10, ANA))
    assert kinds(script) == ["extra"]


def test_an_unknown_follow_is_as_the_list_of_followees_says(script: Script) -> None:
    script.follow(EVE, ANA, phase="info")
    ended(script, following={ANA: [], EVE: [ANA]})
    final(script, ANA, (20, ANA), (10, ANA))
    final(script, EVE, (20, ANA))
    assert kinds(script) == ["lost"]


def test_a_follow_that_was_acknowledged_and_is_gone_is_found(script: Script) -> None:
    ended(script, following={BEN: []})
    assert kinds(script) == ["follow-lost"]


def test_a_follow_that_stands_again_after_its_end_is_found(script: Script) -> None:
    script.unfollow(BEN, ANA)
    ended(script)
    assert kinds(script) == ["follow-revived"]


def test_what_is_not_drained_is_found(script: Script) -> None:
    script.do("drained", phase="fail", seconds=240.0, why="1 events, 0 jobs", quarantined=0)
    assert kinds(script) == ["not-drained"]


def test_an_event_in_quarantine_is_found(script: Script) -> None:
    script.do("drained", seconds=40.0, why="", quarantined=1)
    assert kinds(script) == ["quarantined"]


def test_a_process_that_does_not_come_back_is_found(script: Script) -> None:
    script.do("healed", phase="fail", why="api-1 does not run")
    assert kinds(script) == ["not-healed"]


def test_a_process_left_over_is_found(script: Script) -> None:
    script.do("struck", phase="fail", processes=["1 python"])
    assert kinds(script) == ["left-over"]


@pytest.mark.parametrize(
    ("status", "facts", "kind"),
    [
        (500, {"code": "internal-error"}, "server-error"),
        (502, {}, "server-error"),
        (503, {"code": "graph-unavailable", "retry_after": False}, "no-retry-after"),
        (400, {"code": "invalid-cursor"}, "refused-invalid-cursor"),
        (401, {"code": "not-signed-in"}, "session-lost"),
    ],
)
def test_an_answer_that_is_never_right_is_found(
    script: Script, status: int, facts: dict[str, Any], kind: str
) -> None:
    script.do("read", phase="fail", viewer=BEN, token="s2", status=status, **facts)
    assert kinds(script) == [kind]


def test_a_503_that_says_when_to_come_again_is_none(script: Script) -> None:
    script.do("read", phase="fail", viewer=BEN, status=503, retry_after=True)
    assert kinds(script) == []


def test_an_acknowledged_post_that_is_absent_when_it_is_deleted_is_found(script: Script) -> None:
    script.do("delete", phase="fail", author=ANA, id=10, tag="p10", status=404, code="not-found")
    assert kinds(script) == ["refused-not-found"]


def test_a_followee_may_be_hidden_by_a_block_alone(script: Script) -> None:
    script.do("follow", phase="fail", viewer=EVE, author=ANA, status=404, code="not-found")
    script.do("block", blocker=ANA, blocked=EVE)
    script.do("follow", phase="fail", viewer=EVE, author=ANA, status=404, code="not-found")
    assert kinds(script) == ["refused-not-found"]


def test_a_session_accepted_after_its_end_is_found(script: Script) -> None:
    script.do("use", viewer=BEN, token="s2")
    script.do("sign-out", token="s2")
    script.do("use", viewer=BEN, token="s2", phase="fail", status=401)
    script.do("use", viewer=BEN, token="s2")
    assert kinds(script) == ["session-revived"]


def listed(script: Script, *entries: int, ttl: int = 1000, longest: int = 80) -> list[str]:
    ended(script)
    script.do("list", viewer=BEN, entries=list(entries), ttl=ttl, longest=longest)
    return kinds(script)


def test_a_sound_list_has_no_violation(script: Script) -> None:
    assert listed(script, 0, 10, 20, 20) == []


def test_the_entry_of_a_deleted_post_may_stay(script: Script) -> None:
    script.delete(ANA, 10)
    assert listed(script, 0, 10, 20) == []


def test_a_list_without_a_post_that_it_claims_is_found(script: Script) -> None:
    assert listed(script, 0, 10) == ["list-missing"]


def test_a_list_with_a_post_of_nobody_who_is_followed_is_found(script: Script) -> None:
    script.post(EVE, 15)
    assert listed(script, 0, 10, 15, 20) == ["list-extra"]


def test_a_list_claims_nothing_below_its_watermark(script: Script) -> None:
    assert listed(script, -15, 20) == []


def test_a_list_out_of_order_is_found(script: Script) -> None:
    far = 21 + DISORDER
    script.post(ANA, far)
    assert listed(script, 0, 10, far, 20) == ["list-order"]


def test_a_sentinel_within_a_list_is_found(script: Script) -> None:
    assert listed(script, 0, 10, -5, 20) == ["list-sentinel"]


def test_an_unfinished_list_that_lives_on_is_found(script: Script) -> None:
    assert listed(script, -ABOVE_NOTHING, 20) == ["list-sentinel"]


def test_a_list_that_lives_for_ever_is_found(script: Script) -> None:
    assert listed(script, 0, 10, 20, ttl=-1) == ["list-ttl"]


def test_a_list_that_is_never_trimmed_is_found(script: Script) -> None:
    assert listed(script, 0, 10, *[20] * 80) == ["list-cap"]


def test_tracebacks_and_secrets_in_logs_are_found(script: Script) -> None:
    script.do("log", process="api-1", traceback=["Traceback …"], secret=["pf_abcde"])
    assert kinds(script) == ["traceback", "secret"]


def test_an_operation_without_an_end_may_have_happened(script: Script) -> None:
    script.post(ANA, 30, phase="info")
    del script.lines[-1]
    script.read(ANA, (30, ANA), (20, ANA), (10, ANA))
    assert kinds(script) == []


def test_a_history_is_the_same_after_it_was_written(tmp_path: Any) -> None:
    history = History()
    number = history.invoke("s1", "read", viewer=1)
    history.fault("kill-api", (1, 2), "begin", process="api-1")
    history.end(number, "ok", posts=[], next=False)
    history.save(tmp_path / "history.jsonl")
    assert History.load(tmp_path / "history.jsonl").lines() == history.lines()


def test_a_report_counts_what_was_done_and_shows_each_violation_with_its_lines(
    script: Script,
) -> None:
    script.fault("kill-api", script.at, script.at + 3)
    script.delete(ANA, 10)
    wrong = script.read(BEN, (20, ANA), (10, ANA))
    lines: list[Line] = script.lines
    made = report(lines, check(lines), seed=7, seconds=60, control="", work={})
    assert made.acknowledged == 5
    assert made.faults == {"kill-api": 1}
    assert made.cases == {"1": 1}
    [violation] = made.violations
    assert wrong in violation["numbers"]
    assert {line["op"] for line in violation["lines"]} == {"delete", "read", "kill-api"}
