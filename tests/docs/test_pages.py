import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "demo").glob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
METRIC = re.compile(r"\bphotofeed_[a-z_]+")


def anchors(page: Path) -> set[str]:
    """What `#…` may name in the page, as GitHub makes it."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_index() -> None:
    docs = ROOT / "docs"
    reached, todo = set(), [docs / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md":
            reached.add(page)
            continue
        reached.add(page)
        found = LINK.findall(page.read_text())
        links = [link.partition("#")[0] for link in found if ":" not in link]
        todo += [(page.parent / link).resolve() for link in links if link]
    files = {path for path in docs.rglob("*") if path.is_file()}
    assert files - reached == set()


def test_the_decisions_are_numbered_and_all_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    listed = re.findall(
        r"^\| \[\d{4}\]\(([^)]+)\)", (folder / "README.md").read_text(), re.MULTILINE
    )
    assert listed == pages
    for name in pages:
        assert (folder / name).read_text().startswith(f"# {name[:4]} ")


def test_every_metric_is_explained_and_every_explained_metric_exists() -> None:
    sources = [
        path
        for folder in ("api", "operators", "workers", "feed", "storage", "graph", "observing")
        for path in (ROOT / folder).rglob("*.py")
    ]
    named = {name for path in sources for name in METRIC.findall(path.read_text())}
    explained = set(METRIC.findall((ROOT / "docs" / "operating" / "metrics.md").read_text()))
    assert len(named) > 10
    assert named == explained


def test_every_queue_and_event_kind_is_explained() -> None:
    from graph.event_kinds import KINDS  # noqa: PLC0415 - the pages need no store

    rows = re.findall(
        r"^\| `([\w-]+)` \| ((?:`[\w-]+`(?:, )?)+) \|",
        (ROOT / "docs" / "operating" / "run.md").read_text(),
        re.MULTILINE,
    )
    told = {kind: queue for queue, kinds in rows for kind in re.findall(r"`([\w-]+)`", kinds)}
    assert told == {name: kind.queue for name, kind in KINDS.items()}


def test_every_security_event_is_explained() -> None:
    from observing.security_events import EVENTS  # noqa: PLC0415 - the pages need no store

    page = (ROOT / "docs" / "operating" / "metrics.md").read_text()
    table = page.partition("### Security events\n")[2]
    explained = [
        name
        for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
        for name in re.findall(r"`([a-z-]+)`", row)
        if name != "event"
    ]
    assert sorted(explained) == sorted(EVENTS)


def test_the_walk_is_a_script_that_can_be_run() -> None:
    walk = ROOT / "docs" / "walk.sh"
    assert walk.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(walk)], check=True, timeout=10)


def test_no_page_names_this_machine() -> None:
    for page in [*PAGES, *(ROOT / "docs").rglob("*.sh"), *(ROOT / "docs").rglob("*.cypher")]:
        assert not re.search(r"/(root|home|tmp|work)/\w", page.read_text()), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_is_wrapped_and_tables_are_small(page: Path) -> None:
    code = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        code = code != line.startswith("```")
        if code or re.match(r"\[\w+\]: |#|- `[^`]+`$", line):
            continue
        if line.startswith("|"):
            assert line.count("|") - line.count("\\|") <= 9, (number, line)
        else:
            assert len(line) <= 100, (number, line)
