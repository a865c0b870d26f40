"""docs/developing.md: each place that its steps name exists; kinds and settings follow them."""

import re
from pathlib import Path

import pytest

from graph.event_kinds import KINDS
from graph.queries import LOADED
from workers.handlers import HANDLERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "developing.md").read_text()
PLACE = re.compile(r"`([\w./-]+/[\w./-]*|\.env\.example|CHANGELOG\.md)`")
NAMED = re.compile(r"`([A-Z]\w+)`\s+(?:in|of)\s+`([\w./]+\.py)`")
TITLES = (
    "Add a resource",
    "Add an event kind",
    "Add a kind of notice",
    "Add a setting",
    "Add a bench row",
)
EXAMPLES = {
    "cypher/likes/create.cypher",
    "graph/likes.py",
    "api/services/likes.py",
    "api/endpoints/likes.py",
}
"""What "add a resource" would create."""


def section(title: str) -> str:
    """The steps under a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("title", TITLES)
def test_every_place_that_the_steps_name_exists(title: str) -> None:
    places = set(PLACE.findall(section(title))) - EXAMPLES
    assert len(places) >= 3
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("title", TITLES)
def test_every_name_stands_in_the_file_that_the_steps_name(title: str) -> None:
    for name, place in NAMED.findall(section(title)):
        assert re.search(rf"\b{name}\b", (ROOT / place).read_text()), (name, place)


def test_every_folder_of_the_map_exists_and_none_is_missing() -> None:
    rows = set(re.findall(r"^\| `(\w+)/(?:\w+/)*` \|", PAGE, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"cypher", "tests"}
    assert rows == packages


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_event_stands_at_every_place_of_its_steps(kind: str) -> None:
    assert kind in HANDLERS
    assert [name for name, query in LOADED.items() if f"'{kind}'" in query.text]
    assert f"`{kind}`" in (ROOT / "docs" / "operating" / "run.md").read_text()
    assert [path for path in (ROOT / "tests").rglob("*.py") if kind in path.read_text()]


def test_each_setting_stands_in_the_example_with_a_sentence() -> None:
    text = (ROOT / ".env.example").read_text()
    settings = re.findall(r"^#([A-Z][A-Z0-9_]+)=", text, flags=re.MULTILINE)
    assert len(settings) > 20
    read = "".join(
        path.read_text()
        for folder in (
            "api",
            "workers",
            "graph",
            "storage",
            "operators",
            "observing",
            "stack",
            "demo",
            "web_push",
        )
        for path in (ROOT / folder).rglob("*.py")
    )
    assert [name for name in settings if f'"{name}"' not in read] == []
