"""Exports whose worker is killed between the storing of a part and its record."""

import json

import pytest

from graph import Graph
from storage import Storage
from tests.support.eventually import B_SECONDS, eventually
from tests.support.exports import add_photo, ask, download, links_of, listed, noise, object_count
from tests.support.stage import Stage
from tests.system.kills.processes import Processes

FEW_FILES = {"workers.exports.part.MOST_FILES": 9}
"""A part has few photos: two parts for five of them."""


@pytest.mark.parametrize("side", ["request", "answer"])
def test_an_export_whose_worker_was_killed_becomes_ready(
    stage: Stage, processes: Processes, worker_storage: Storage, graph: Graph, side: str
) -> None:
    user = stage.town.user()
    pictures = {
        add_photo(graph, worker_storage, user, data): data
        for data in (noise(1_000) for _ in range(5))
    }
    export_id, event = ask(graph, user)
    worker = processes.start_worker("exports", constants=FEW_FILES)
    hold = worker.to.hold_query("exports/add_part", side=side)  # type: ignore[arg-type]
    worker_storage.queues.wake(event)
    hold.wait()
    path = graph.exports.by_id(export_id, user_id=user).path
    assert object_count(worker_storage, path) == 1
    worker.kill()
    assert len(graph.exports.by_id(export_id, user_id=user).parts) == (side == "answer")

    processes.start_worker("exports", constants=FEW_FILES)
    processes.start_worker("sweeper")
    eventually(
        lambda: graph.exports.by_id(export_id, user_id=user).state == "ready", seconds=B_SECONDS
    )
    export = graph.exports.by_id(export_id, user_id=user)
    parts = download(links_of(worker_storage, export))
    assert len(parts) == 2
    entries = listed(parts, "photos")
    assert sorted(int(entry["id"]) for entry in entries) == sorted(pictures)
    for files in parts:
        for entry in json.loads(files["photos.json"]):
            assert files[entry["file"]] == pictures[int(entry["id"])]
    eventually(lambda: stage.town.find_event(event.id) is None)
