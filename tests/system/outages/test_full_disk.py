"""A graph whose disk is full (case 36)."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.support.eventually import eventually
from tests.system.outages.stage import OutageStage, posts, reads
from tests.system.outages.test_graph_away import BACK_SECONDS, delivered, nothing_half_written

pytestmark = [pytest.mark.alone, pytest.mark.timeout(600)]

LEFT_BYTES = 4_000
"""Enough for one more post, or for a part of it."""


@contextmanager
def full_disk(stage: OutageStage) -> Iterator[None]:
    """No file of the graph may grow beyond its transaction log as it is now, and a little more."""
    logs = stage.folder.glob("neo4j/data/transactions/neo4j/neostore.transaction.db.*")
    size = max(log.stat().st_size for log in logs) + LEFT_BYTES
    server = psutil.Process(stage.pid("neo4j"))
    pids = [server.pid, *(child.pid for child in server.children(recursive=True))]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, most) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


# Case 36
def test_a_full_disk_refuses_writes_leaves_cached_feeds_and_half_writes_nothing(
    stage: OutageStage,
) -> None:
    author = stage.person("author")
    stage.town.post(author.id)
    reader = stage.follower_with_a_timeline(author)
    photo_ids = [stage.town.photo(author.id) for _ in range(30)]
    made: dict[str, set[int]] = {}
    with posts(author, photo_ids, made) as wrote:
        with full_disk(stage):
            eventually(lambda: wrote.statuses[-5:] == [503] * 5, seconds=30)
            with reads(reader, []) as read:
                eventually(lambda: len(read.statuses) > 20, seconds=30)
            assert set(read.statuses) == {200}
        stage.kill_graph()  # it answers nothing after a failed append until it is started again
        eventually(lambda: len(made) == len(photo_ids), seconds=BACK_SECONDS)
    assert wrote.wrong == []
    nothing_half_written(stage, author, made)
    delivered(stage, author, reader)
