"""Rebuilds in background threads: each user once, within the bound, counted."""

import threading

import pytest
from prometheus_client import REGISTRY

from feed import background as background_module
from feed.background import BackgroundRebuilder
from feed.rebuilding import rebuild
from graph import Graph
from storage import Storage, StorageUnavailableError
from tests.support.eventually import eventually
from tests.support.stage import Stage


def count_of(outcome: str) -> float:
    labels = {"outcome": outcome}
    return REGISTRY.get_sample_value("photofeed_timeline_rebuilds_total", labels) or 0


def test_a_scheduled_timeline_is_built_in_the_background(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.add_followees(viewer, author)
    post, _event = stage.town.post(author)
    background = BackgroundRebuilder(stage.graph, stage.storage)
    background.schedule(viewer)
    eventually(lambda: stage.entries(viewer)[1:] == [post])
    background.close()


class HeldRebuilds:
    """Rebuilds that wait for `released`; `user_ids`: whose rebuild has begun."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.user_ids: list[int] = []

    def rebuild(self, _graph: Graph, _storage: Storage, user_id: int) -> bool:
        self.user_ids.append(user_id)
        return self.released.wait(10)


def test_a_user_scheduled_many_times_is_built_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilds = HeldRebuilds()
    monkeypatch.setattr(background_module, "rebuild", rebuilds.rebuild)
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=2)
    for _ in range(20):
        background.schedule(7)
    eventually(lambda: rebuilds.user_ids == [7])
    background.schedule(8)
    eventually(lambda: rebuilds.user_ids == [7, 8])
    rebuilds.released.set()
    background.close()
    assert rebuilds.user_ids == [7, 8]


def test_rebuilds_beyond_the_bound_are_dropped_and_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilds = HeldRebuilds()
    monkeypatch.setattr(background_module, "rebuild", rebuilds.rebuild)
    before = count_of("dropped")
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=1, pending=2)
    background.schedule(0)
    eventually(lambda: rebuilds.user_ids == [0])
    for user_id in range(1, 6):
        background.schedule(user_id)
    assert count_of("dropped") - before == 3
    rebuilds.released.set()
    eventually(lambda: rebuilds.user_ids == [0, 1, 2])
    background.schedule(5)
    eventually(lambda: rebuilds.user_ids == [0, 1, 2, 5], seconds=5)
    background.close()


def test_a_rebuild_during_an_outage_is_counted_as_failed(stage: Stage) -> None:
    viewer = stage.town.user()
    cut_off = stage.behind_proxies()
    before = count_of("failed")
    with cut_off.to.cache.outage(), pytest.raises(StorageUnavailableError):
        rebuild(cut_off.graph, cut_off.storage, viewer)
    assert count_of("failed") - before == 1
    hold = cut_off.hold_query("posts/feed_page")
    running = stage.begin(rebuild, cut_off.graph, cut_off.storage, viewer)
    hold.wait()
    with cut_off.to.cache.outage():
        hold.release()
        with pytest.raises(StorageUnavailableError):
            running.result(10)
    assert count_of("failed") - before == 2


def test_a_rebuild_that_fails_does_not_end_the_thread(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_ids = []

    def rebuild(_graph: Graph, _storage: Storage, user_id: int) -> bool:
        user_ids.append(user_id)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(background_module, "rebuild", rebuild)
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=1)
    background.schedule(1)
    background.schedule(2)
    eventually(lambda: user_ids == [1, 2])
    background.close()


def test_a_closed_rebuilder_accepts_no_user_and_leaves_no_thread(stage: Stage) -> None:
    before = threading.active_count()
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=3)
    assert threading.active_count() == before + 3
    background.close()
    background.schedule(stage.town.user())
    assert threading.active_count() == before
