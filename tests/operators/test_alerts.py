"""deploy/alerts.yml: valid rules for Prometheus, with metrics that exist."""

import re
from pathlib import Path
from typing import Any

import yaml

from operators.outbox import STATES
from workers.notices.push.messages import Result
from workers.notices.push.sender import HELD

ROOT = Path(__file__).resolve().parents[2]
METRIC = re.compile(r"\bphotofeed_[a-z_]+")
DURATION = re.compile(r"\d+[smhd]")
STORES = {"neo4j", "queue", "cache", "s3"}


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())
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
    matched = {pair for rule in rules() for pair in re.findall(r'(\w+)=~?"([^"]+)"', rule["expr"])}
    assert matched == {
        ("state", "quarantined"),
        ("status", "5.."),
        ("source", "graph"),
        ("audience", "large"),
        ("outcome", "later|exhausted|held"),
        ("outcome", "refused"),
        ("route", "/v1/live"),
        ("status", "503"),
    }
    assert {"later", "exhausted", "refused"} <= {str(result) for result in Result}
    assert HELD == "held"
    assert "quarantined" in STATES
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
