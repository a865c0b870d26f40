"""The cost sheet of ten million users, from a run's rows and from named assumptions."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.results import Cost
from bench.rows.memory import CACHED_BODY, LIST_ENTRY

Rows = Sequence[Mapping[str, Any]]

USERS = 10_000_000
POSTS_PER_SECOND = 231
READS_PER_POST = 100
PEAK = 3
"""Ratio of the peak to the mean."""
BUSY = 0.5
"""Planned load of a core at peak."""
ACTIVE = 0.4
"""Share of the users who read within 30 days, and so have a list."""
FOLLOWERS = 150
"""Mean over posts; authors with many followers post more."""
CAP = 400
HOT_POSTS = 20_000_000 * 30
"""Posts with a body in the cache: those of a month, the TTL of a body."""
SESSION_BYTES = 250
"""With key and the server's overhead."""
ORIGINAL_BYTES = 5_000_000
RENDITION_SHARE = 0.12
"""Size of all three renditions, as a share of the original."""
PAGE_BYTES = 12_000
GRAPH_BYTES = {"a user": 350, "a follow": 153, "a post with photo and indexes": 850}
"""Store and indexes after the import of a hundred thousand users."""
FOLLOWS_PER_USER = 150
GRAPH_CACHE = 0.3
"""Share of the store that should be in the page cache: the recently read part."""

DAY, YEAR = 86_400, 365
MICROSECONDS = 1e6


def cost_sheet(rows: Rows) -> list[Cost]:
    """The lines of the sheet, without those that need a row which was not measured."""
    return [*_memory(rows), *_cores(rows), *_graph(), *_objects(), *_gaps()]


def _memory(rows: Rows) -> list[Cost]:
    lines = [
        Cost(
            item="sessions, cache RAM",
            value=USERS * ACTIVE * SESSION_BYTES / 1e9,
            unit="GB",
            source=f"assumed: {ACTIVE:.0%} active, {SESSION_BYTES} B a session",
        ),
    ]
    body = _context(rows, "M2", CACHED_BODY)
    if body:
        lines.insert(
            0,
            Cost(
                item="bodies of a month, cache RAM",
                value=HOT_POSTS * body / 1e9,
                unit="GB",
                source=f"M2 ({body:.0f} B a body); assumed: {HOT_POSTS / 1e6:.0f} M posts",
            ),
        )
    entry = _context(rows, "M1", LIST_ENTRY)
    if entry:
        lines.insert(
            0,
            Cost(
                item="timelines, cache RAM",
                value=USERS * ACTIVE * CAP * entry / 1e9,
                unit="GB",
                source=f"M1 ({entry:.1f} B an entry); assumed: {ACTIVE:.0%} active, cap {CAP}",
            ),
        )
    return lines


def _cores(rows: Rows) -> list[Cost]:
    """Cores at peak, each half busy. By CPU time, as the machine is shared and rates vary."""
    pages = POSTS_PER_SECOND * READS_PER_POST * PEAK
    posts = POSTS_PER_SECOND * PEAK
    uses = (
        ("API cores, pages", pages, "R1", "ours"),
        ("cache cores, pages", pages, "R1", "redis"),
        ("API cores, publishing", posts, "W1", "ours"),
        ("worker cores, timeline inserts", posts * FOLLOWERS, "F1", "ours"),
        ("cache cores, timeline inserts", posts * FOLLOWERS, "F1", "redis"),
    )
    return [
        Cost(
            item=item,
            value=rate * us / MICROSECONDS / BUSY,
            unit="cores",
            source=f"{row}: {us:.1f} µs of {side}; assumed: peak {PEAK} x mean, {BUSY:.0%} busy",
        )
        for item, rate, row, side in uses
        if (us := _cpu_us(rows, row, side))
    ]


def _graph() -> list[Cost]:
    """The store after a year, by kind of record, and its page cache."""
    counts = {
        "a user": USERS,
        "a follow": USERS * FOLLOWS_PER_USER,
        "a post with photo and indexes": POSTS_PER_SECOND * DAY * YEAR,
    }
    lines = [
        Cost(
            item=f"graph after a year: {thing} x {count:.2g}",
            value=count * GRAPH_BYTES[thing] / 1e9,
            unit="GB",
            source=f"import: {GRAPH_BYTES[thing]} B",
        )
        for thing, count in counts.items()
    ]
    total = sum(line.value for line in lines)
    cache = Cost(
        item="page cache of a graph server",
        value=total * GRAPH_CACHE,
        unit="GB",
        source=f"assumed: {GRAPH_CACHE:.0%} of the store is read recently",
    )
    return [*lines, cache]


def _objects() -> list[Cost]:
    photos = POSTS_PER_SECOND * DAY
    return [
        Cost(
            item="S3, originals a day",
            value=photos * ORIGINAL_BYTES / 1e12,
            unit="TB",
            source=f"assumed: {ORIGINAL_BYTES / 1e6:.0f} MB each",
        ),
        Cost(
            item="S3, renditions a day",
            value=photos * ORIGINAL_BYTES * RENDITION_SHARE / 1e12,
            unit="TB",
            source=f"assumed: {RENDITION_SHARE:.0%} of an original",
        ),
        Cost(
            item="network of feed pages at peak",
            value=POSTS_PER_SECOND * READS_PER_POST * PEAK * PAGE_BYTES * 8 / 1e9,
            unit="Gbit/s",
            source=f"assumed: {PAGE_BYTES / 1e3:.0f} kB a page of 20, uncompressed",
        ),
    ]


def _gaps() -> list[Cost]:
    return [
        Cost(item=text, value=0.0, unit="", source="known gap")
        for text in (
            "not counted: replicas, backups, traffic of photos (a CDN's)",
            "one graph server cannot hold a year of 10 M users: divide it or remove old data",
        )
    ]


def _row(rows: Rows, name: str) -> Mapping[str, Any] | None:
    return next((row for row in rows if row["id"] == name), None)


def _context(rows: Rows, name: str, what: str) -> float | None:
    row = _row(rows, name)
    return None if row is None else row["context"].get(what)


def _cpu_us(rows: Rows, name: str, side: str) -> float | None:
    row = _row(rows, name)
    return None if row is None else row["cpu_us"].get(side)
