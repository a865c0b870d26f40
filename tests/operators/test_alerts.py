"""deploy/alerts.yml: valid rules for Prometheus, with metrics that exist."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from graph.event_kinds import KINDS, QUEUES
from graph.queries import LOADED
from observing.security_events import EVENTS
from operators.outbox import STATES
from workers.notices.push.messages import Result
from workers.notices.push.sender import HELD

ROOT = Path(__file__).resolve().parents[2]
METRIC = re.compile(r"\bphotofeed_[a-z_]+")
MATCHER = re.compile(r'(\w+)(?:!=|=|=~|!~)"([^"]+)"')
DURATION = re.compile(r"\d+[smhd]")
RULES = ROOT / "deploy" / "alerts.yml"
EXAMPLES = ROOT / "tests" / "operators" / "alerts.yml"
FAILURES = "sign-in-failed|sign-in-refused|password-change-failed|password-change-refused"
STORES = {"neo4j", "queue", "cache", "s3"}


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load(RULES.read_text())
    assert list(loaded) == ["groups"]
    [group] = loaded["groups"]
    assert set(group) == {"name", "rules"}
    return list(group["rules"])


def declared() -> set[str]:
    """Every metric that the code declares, and the series of its histograms."""
    folders = ("observing", "operators")
    paths = [path for name in folders for path in (ROOT / name).rglob("*.py")]
    names = {name for path in paths for name in METRIC.findall(path.read_text())}
    return names | {f"{name}_bucket" for name in names if name.endswith("_seconds")}


def test_every_rule_is_complete() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 8
    for rule in rules():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"([A-Z][a-z0-9]*)+", rule["alert"])
        assert DURATION.fullmatch(rule["for"])
        assert set(rule["labels"]) == {"severity"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "runbook"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["expr"].count("{") == rule["expr"].count("}")


def test_the_most_important_rule_is_first() -> None:
    first = rules()[0]
    assert first["expr"] == "photofeed_oldest_due_event_seconds > 90"
    assert first["labels"]["severity"] == "page"


def test_every_metric_of_a_rule_exists() -> None:
    for rule in rules():
        found = set(METRIC.findall(rule["expr"]))
        assert found
        assert found <= declared(), rule["alert"]


def test_every_label_of_a_rule_exists() -> None:
    matched = {
        pair
        for rule in rules()
        for pair in re.findall(r'(\w+)(?:!=|=|=~|!~)"([^"]+)"', rule["expr"])
    }
    assert matched == {
        ("state", "quarantined"),
        ("queue", "timelines"),
        ("outcome", "outage|failed|left-alone"),
        ("outcome", "done"),
        ("status", "5.."),
        ("source", "graph"),
        ("audience", "large"),
        ("outcome", "later|exhausted|held"),
        ("outcome", "refused"),
        ("route", "/v1/live"),
        ("status", "503"),
        ("event", FAILURES),
        ("event", "signed-in"),
        ("event", "admin-refused"),
    }
    assert {*FAILURES.split("|"), "signed-in", "admin-refused"} <= set(EVENTS)
    assert {"later", "exhausted", "refused"} <= {str(result) for result in Result}
    assert HELD == "held"
    assert "quarantined" in STATES
    assert "timelines" in QUEUES
    outbox = "".join(
        (ROOT / "workers" / f"{name}.py").read_text() for name in ("outbox", "endings")
    )
    assert all(f'"{word}"' in outbox for word in ("done", "outage", "failed", "left-alone"))
    assert 'return "large"' in (ROOT / "workers" / "fan_out.py").read_text()
    assert '"graph"' in (ROOT / "feed" / "reading.py").read_text()


def test_every_rule_links_to_its_runbook() -> None:
    page = (ROOT / "docs" / "operating" / "alerts.md").read_text()
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    for rule in rules():
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert path == "docs/operating/alerts.md"
        assert anchor in anchors, anchor


def test_the_alert_about_wakes_leaves_out_the_queue_of_what_is_due_later() -> None:
    [rule] = [rule for rule in rules() if rule["alert"] == "SweeperRingsMuch"]
    left_out = set(re.findall(r'queue!="([^"]+)"', rule["expr"]))
    delayed = "due_at: timestamp() + $hold_ms"
    texts = [query.text for query in LOADED.values() if delayed in query.text]
    later = {kind for kind in KINDS for text in texts if f"kind: '{kind}'" in text}
    assert left_out == {KINDS[kind].queue for kind in later}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("This test needs promtool (apt-get install prometheus). CI installs it.")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_prometheus_accepts_the_rules() -> None:
    result = promtool("check", "rules", str(RULES))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(rules())} rules found" in result.stdout


def test_every_alert_fires_when_it_should_and_is_silent_otherwise() -> None:
    result = promtool("test", "rules", str(EXAMPLES))
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_an_example_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    examples = yaml.safe_load(EXAMPLES.read_text())["tests"]
    cases = [case for example in examples for case in example["alert_rule_test"]]
    names = {rule["alert"] for rule in rules()}
    assert {case["alertname"] for case in cases if "exp_alerts" in case} == names
    assert {case["alertname"] for case in cases if "exp_alerts" not in case} == names
