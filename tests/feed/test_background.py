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


def counted(outcome: str) -> float:
    labels = {"outcome": outcome}
    return REGISTRY.get_sample_value("photofeed_timeline_rebuilds_total", labels) or 0


def test_a_timeline_asked_for_is_built_behind_the_answer(stage: Stage) -> None:
    viewer, author = stage.town.users(2)
    stage.town.follow(viewer, author)
    post, _event = stage.town.post(author)
    background = BackgroundRebuilder(stage.graph, stage.storage)
    background.ask(viewer)
    eventually(lambda: stage.entries(viewer)[1:] == [post])
    background.close()


class Gate:
    """Rebuilds that wait at a gate, counted by user."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.built: list[int] = []

    def rebuild(self, _graph: Graph, _storage: Storage, user_id: int) -> bool:
        self.built.append(user_id)
        return self.open.wait(10)


def test_a_user_asked_for_many_times_is_built_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(background_module, "rebuild", gate.rebuild)
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=2)
    for _ in range(20):
        background.ask(7)
    eventually(lambda: gate.built == [7])
    background.ask(8)
    eventually(lambda: gate.built == [7, 8])
    gate.open.set()
    background.close()
    assert gate.built == [7, 8]


def test_what_is_asked_for_beyond_the_bound_is_dropped_and_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(background_module, "rebuild", gate.rebuild)
    before = counted("dropped")
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=1, pending=2)
    background.ask(0)
    eventually(lambda: gate.built == [0])
    for user_id in range(1, 6):
        background.ask(user_id)
    assert counted("dropped") - before == 3
    gate.open.set()
    eventually(lambda: gate.built == [0, 1, 2])
    background.ask(5)
    eventually(lambda: gate.built == [0, 1, 2, 5], seconds=5)
    background.close()


def test_a_rebuild_for_which_a_store_was_away_is_counted_as_failed(stage: Stage) -> None:
    viewer = stage.town.user()
    cut_off = stage.behind_proxies()
    before = counted("failed")
    with cut_off.to_cache.outage(), pytest.raises(StorageUnavailableError):
        rebuild(cut_off.graph, cut_off.storage, viewer)
    assert counted("failed") - before == 1
    hold = cut_off.at_query("posts/feed_page")
    running = stage.begin(rebuild, cut_off.graph, cut_off.storage, viewer)
    hold.wait()
    with cut_off.to_cache.outage():
        hold.release()
        with pytest.raises(StorageUnavailableError):
            running.result(10)
    assert counted("failed") - before == 2


def test_a_rebuild_that_fails_does_not_end_the_thread(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def rebuild(_graph: Graph, _storage: Storage, user_id: int) -> bool:
        built.append(user_id)
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(background_module, "rebuild", rebuild)
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=1)
    background.ask(1)
    background.ask(2)
    eventually(lambda: built == [1, 2])
    background.close()


def test_a_closed_rebuilder_takes_nothing_more_and_leaves_no_thread(stage: Stage) -> None:
    before = threading.active_count()
    background = BackgroundRebuilder(stage.graph, stage.storage, threads=3)
    assert threading.active_count() == before + 3
    background.close()
    background.ask(stage.town.user())
    assert threading.active_count() == before
