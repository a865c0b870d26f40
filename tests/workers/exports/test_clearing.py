"""What expires, fails or is deleted: no node and no object of an export stays."""

import io
import time
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from graph.errors import NotFoundError
from graph.events import Event
from graph.exports import ENDED_LIFE_MS, Export
from storage.errors import StorageRefusedError, StorageUnavailableError
from tests.support.exports import add_photo, ask, object_count, take_turns
from tests.support.stage import Stage
from workers import accounts, clearing
from workers.exports import clearing as exports_clearing
from workers.exports.clearing import expire_exports, reconcile_objects


def made(stage: Stage, user: int) -> Export:
    """An export that is ready."""
    add_photo(stage.graph, stage.storage, user, b"a photo")
    export_id, event = ask(stage.graph, user)
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    return stage.graph.exports.by_id(export_id, user_id=user)


def end(stage: Stage, export: Export, name: str = "state_until") -> None:
    """As if the time of this property were over."""
    stage.town.query(
        "MATCH (export:Export {id: $id}) SET export += $changes",
        id=export.id,
        changes={name: time.time_ns() // 1_000_000 - 1},
    )


def sweep(stage: Stage) -> None:
    expire_exports(stage.graph, stage.storage, until=time.monotonic() + 30)


def again(stage: Stage, export: Export) -> Export:
    return stage.graph.exports.by_id(export.id, user_id=export.user_id)


def test_an_expired_export_loses_its_objects_and_a_week_later_its_node(stage: Stage) -> None:
    export = made(stage, stage.town.user())
    sweep(stage)
    assert again(stage, export).state == "ready"
    end(stage, export)
    assert again(stage, export).state == "expired", "before the sweeper comes"
    sweep(stage)
    expired = again(stage, export)
    assert expired.state == "expired"
    assert expired.left_seconds > ENDED_LIFE_MS / 1000 - 60
    assert object_count(stage.storage, export.path) == 0
    end(stage, export)
    sweep(stage)
    with pytest.raises(NotFoundError):
        again(stage, export)


def test_an_unfinished_export_without_progress_fails_and_loses_its_parts(stage: Stage) -> None:
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    export = stage.graph.exports.by_id(export_id, user_id=user)
    stage.storage.exports.store_part(export.path, 1, 1, io.BytesIO(b"half"), file_name="x.zip")
    end(stage, export)
    with capture_logs() as lines:
        sweep(stage)
        sweep(stage)
    [line] = [one for one in lines if one.get("export_id") == export_id]
    assert (line["event"], line["code"]) == ("export failed", "no-progress")
    failed = again(stage, export)
    assert (failed.state, failed.failure_code) == ("failed", "no-progress")
    assert object_count(stage.storage, export.path) == 1, "a fenced worker may still store one"
    end(stage, export)
    sweep(stage)
    assert again(stage, export).state == "failed", "its node stays while it can have objects"
    end(stage, export, "objects_until")
    sweep(stage)
    assert object_count(stage.storage, export.path) == 0
    assert take_turns(stage.graph, stage.storage, event) == ["done"]
    assert object_count(stage.storage, export.path) == 0


def test_pages_are_cleared_until_one_is_short(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports_clearing, "PAGE", 2)
    exports = [made(stage, stage.town.user()) for _ in range(5)]
    for export in exports:
        end(stage, export)
    sweep(stage)
    assert [again(stage, one).state for one in exports] == ["expired"] * 5
    assert sum(object_count(stage.storage, one.path) for one in exports) == 0


def test_a_refused_removal_is_due_later_and_delays_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = (made(stage, stage.town.user()) for _ in range(2))
    for export in (bad, good):
        end(stage, export)
    remove = stage.storage.exports.remove

    def refuse_one(path: str) -> None:
        if path == bad.path:
            raise StorageRefusedError("s3", "AccessDenied")
        remove(path)

    monkeypatch.setattr(stage.storage.exports, "remove", refuse_one)
    with capture_logs() as lines:
        sweep(stage)
    assert "objects not removed" in [line["event"] for line in lines]
    assert object_count(stage.storage, good.path) == 0
    assert object_count(stage.storage, bad.path) == 1
    [row] = stage.town.query(
        "MATCH (e:Export {id: $id}) RETURN e.objects_until - timestamp() AS left", id=bad.id
    )
    assert row["left"] > 3_000_000
    monkeypatch.undo()
    end(stage, bad, "objects_until")
    sweep(stage)
    assert object_count(stage.storage, bad.path) == 0


def test_an_outage_of_s3_ends_a_round_at_its_first_export(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports = [made(stage, stage.town.user()) for _ in range(3)]
    for export in exports:
        end(stage, export)
    stores = stage.behind_proxies()
    remove, calls = stores.storage.exports.remove, []

    def count(path: str) -> None:
        calls.append(path)
        remove(path)

    monkeypatch.setattr(stores.storage.exports, "remove", count)
    with stores.to.s3.outage(), pytest.raises(StorageUnavailableError):
        expire_exports(stage.graph, stores.storage, until=time.monotonic() + 30)
    assert len(calls) == 1
    sweep(stage)
    assert sum(object_count(stage.storage, one.path) for one in exports) == 0


def test_an_object_that_came_after_its_export_was_cleared_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stage.storage.exports.store_part
    store("nobody's", 1, 1, io.BytesIO(b"late"), file_name="x.zip")
    reconcile_objects(stage.storage, until=time.monotonic() + 30)
    assert object_count(stage.storage, "nobody's") == 1
    monkeypatch.setattr(exports_clearing, "OBJECT_RETENTION", timedelta(seconds=-60))
    assert reconcile_objects(stage.storage, until=time.monotonic() + 30) >= 1
    assert object_count(stage.storage, "nobody's") == 0


def test_the_sweeper_clears_exports(stage: Stage) -> None:
    names = {name for name, _ in clearing.steps(stage.graph, stage.storage)}
    assert {"exports", "export-objects"} <= names
    export = made(stage, stage.town.user())
    end(stage, export)
    for name, step in clearing.steps(stage.graph, stage.storage):
        if name == "exports":
            step(time.monotonic() + 30)
    assert again(stage, export).state == "expired"
    assert object_count(stage.storage, export.path) == 0


def left_account(stage: Stage, user: int) -> Event:
    """The event of an account whose week is over."""
    stored = stage.graph.accounts.password_hash(user)
    assert stored
    leaving = stage.graph.accounts.leave(user, checked_hash=stored)
    stage.town.query("MATCH (u:User {id: $id}) SET u.leaves_at = timestamp() - 1", id=user)
    assert leaving.event
    return leaving.event


def test_the_deletion_of_an_account_removes_its_exports(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "EXPORTS_PAGE", 1)
    user, other = stage.town.user(), stage.town.user()
    ready, kept = made(stage, user), made(stage, other)
    export_id, event = ask(stage.graph, user)
    waiting = stage.graph.exports.by_id(export_id, user_id=user)
    stage.storage.exports.store_part(waiting.path, 1, 1, io.BytesIO(b"half"), file_name="x.zip")
    left_account(stage, user)
    stage.do_all(user)
    for export in (ready, waiting):
        with pytest.raises(NotFoundError):
            again(stage, export)
        assert object_count(stage.storage, export.path) == 0
    assert stage.town.find_event(event.id) is None
    assert again(stage, kept).state == "ready"
    assert object_count(stage.storage, kept.path) == 1
