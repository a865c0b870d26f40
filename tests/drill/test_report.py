from drill.checking.check import check
from drill.checking.page_shares import PageShares
from drill.report import build_report
from tests.drill.script import ANA, BEN, Script


def test_a_report_counts_operations_and_shows_each_violation_with_its_lines(script: Script) -> None:
    script.fault("kill-api", script.now, script.now + 3)
    script.delete(ANA, 10)
    wrong = script.read(BEN, (20, ANA), (10, ANA))
    findings = check(script.lines)
    report = build_report(
        script.lines,
        findings,
        PageShares(),
        seed=7,
        seconds=60,
        control="",
        counters={},
    )
    assert report.acknowledged == 5
    assert report.faults == {"kill-api": 1}
    assert report.cases == {"1": 1}
    [violation] = report.violations
    assert wrong in violation["numbers"]
    assert {line["op"] for line in violation["lines"]} == {"delete", "read", "kill-api"}
