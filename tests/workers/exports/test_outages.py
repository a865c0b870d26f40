"""Exports while S3 is away, is slow, or fails for one photo."""

import errno
import io
import json
from pathlib import Path
from typing import IO

import pytest
from structlog.testing import capture_logs

from graph.exports import Export
from storage import Storage
from storage.errors import StorageUnavailableError
from tests.support.eventually import eventually
from tests.support.exports import add_photo, ask, download, links_of, listed, noise, take_turns
from tests.support.outbox import run
from tests.support.stage import Stage
from workers.exports import building, photos, turn
from workers.exports.part import Part

BIG = 400_000
"""Bytes of a photo: more than one block of an upload."""


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of other tests' photos and speeds."""
    monkeypatch.setattr(building, "_planned_bytes", float("inf"))
    monkeypatch.setattr(photos, "_failing_since", {})
    monkeypatch.setattr("workers.outbox.MOST_OUTAGES", 1_000_000)


def fail_for(stage: Stage, monkeypatch: pytest.MonkeyPatch, *photo_ids: int) -> None:
    """S3 fails for these photos as for damaged objects."""
    photos_of_all = [stage.graph.photos.get(photo_id) for photo_id in photo_ids]
    paths = {photo.path for photo in photos_of_all if photo}
    read = stage.storage.photos.read_original

    def read_or_fail(path: str, **named: object) -> bytes | None:
        if path in paths:
            raise StorageUnavailableError("s3", "InternalError")
        return read(path, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.storage.photos, "read_original", read_or_fail)


def one_turn(stage: Stage, event_id: int, storage: Storage | None = None) -> str:
    """A turn of a worker, by default with the stage's storage; its outcome."""
    found = stage.town.find_event(event_id)
    assert found
    stage.town.end_lease(event_id)
    return run(stage.graph, storage or stage.storage, found.id, found.epoch)


def latest(stage: Stage, export_id: int, user: int) -> Export:
    return stage.graph.exports.by_id(export_id, user_id=user)


def test_an_outage_of_s3_puts_a_part_off_and_is_no_attempt(stage: Stage) -> None:
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    stores = stage.behind_proxies()
    with stores.to.s3.outage():
        assert one_turn(stage, event.id, stores.storage) == "outage"
        pending = stage.town.find_event(event.id)
        assert pending
        assert pending.attempts == 0
        assert latest(stage, export_id, user).state == "running"
    eventually(lambda: one_turn(stage, event.id, stores.storage) == "done")
    assert latest(stage, export_id, user).state == "ready"


def test_a_failing_photo_ends_its_part_and_then_waits(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = stage.town.user()
    oldest, bad, newest = (add_photo(stage.graph, stage.storage, user, noise(99)) for _ in range(3))
    export_id, event = ask(stage.graph, user)
    with monkeypatch.context() as patch:
        fail_for(stage, patch, bad)
        assert one_turn(stage, event.id) == "continued"
        assert [one_turn(stage, event.id) for _ in range(2)] == ["outage"] * 2
    assert len(latest(stage, export_id, user).parts) == 1
    assert one_turn(stage, event.id) == "done"
    export = latest(stage, export_id, user)
    assert export.missing_count == 0
    parts = download(links_of(stage.storage, export))
    assert [int(one["id"]) for one in listed(parts, "photos")] == [newest, bad, oldest]


def test_a_photo_that_fails_alone_for_long_is_left_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = stage.town.user()
    oldest, bad, newest = (add_photo(stage.graph, stage.storage, user, noise(99)) for _ in range(3))
    export_id, event = ask(stage.graph, user)
    fail_for(stage, monkeypatch, bad)
    assert one_turn(stage, event.id) == "continued"
    monkeypatch.setattr(photos, "FAILING_SECONDS", 0.0)
    assert one_turn(stage, event.id) == "done"
    export = latest(stage, export_id, user)
    assert export.missing_count == 1
    parts = download(links_of(stage.storage, export))
    assert [int(one["id"]) for one in json.loads(parts[1]["missing.json"])] == [bad]
    assert [int(one["id"]) for one in listed(parts, "photos")] == [newest, oldest]


def test_photos_that_all_fail_are_an_outage_for_an_hour(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = stage.town.user()
    bad = [add_photo(stage.graph, stage.storage, user, noise(99)) for _ in range(2)]
    export_id, event = ask(stage.graph, user)
    fail_for(stage, monkeypatch, *bad)
    assert one_turn(stage, event.id) == "continued"
    monkeypatch.setattr(photos, "FAILING_SECONDS", 0.0)
    assert one_turn(stage, event.id) == "outage"
    assert len(latest(stage, export_id, user).parts) == 1
    monkeypatch.setattr(photos, "LONE_FAILING_SECONDS", 0.0)
    assert one_turn(stage, event.id) == "done"
    assert latest(stage, export_id, user).missing_count == 2


def test_a_part_that_s3_takes_too_slowly_is_smaller_the_next_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "LEAST_BYTES", 1_000)
    user = stage.town.user()
    for _ in range(4):
        add_photo(stage.graph, stage.storage, user, noise(BIG))
    export_id, event = ask(stage.graph, user)
    slow = ["the first part"]
    go_on = turn.Turn.go_on
    finish = Part.finish

    def finish_late(self: Part) -> tuple[IO[bytes], int]:
        if slow:
            slow.clear()
            monkeypatch.setattr(turn.Turn, "go_on", too_late)
        return finish(self)

    def too_late(_self: turn.Turn) -> None:
        monkeypatch.setattr(turn.Turn, "go_on", go_on)
        raise StorageUnavailableError("s3", "too slow for a part of an export")

    monkeypatch.setattr(Part, "finish", finish_late)
    assert one_turn(stage, event.id) == "outage"
    assert building._planned_bytes == pytest.approx(2 * BIG, rel=0.01)
    assert set(take_turns(stage.graph, stage.storage, event)[:-1]) == {"continued"}
    export = latest(stage, export_id, user)
    assert len(export.parts) > 1
    assert building._planned_bytes > 3 * BIG


def test_nothing_is_read_or_sent_after_the_end_of_a_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "END_SECONDS", -1.0)
    user = stage.town.user()
    export_id, event = ask(stage.graph, user)
    assert one_turn(stage, event.id) == "outage"
    assert latest(stage, export_id, user).parts == ()


@pytest.mark.parametrize("photo_bytes", [0, BIG])
def test_a_full_disk_is_no_attempt_and_the_log_says_what_to_do(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, photo_bytes: int
) -> None:
    """/dev/full refuses every write as a full disk does: at the end of a part, or before."""
    user = stage.town.user()
    if photo_bytes:
        add_photo(stage.graph, stage.storage, user, noise(photo_bytes))
    export_id, event = ask(stage.graph, user)
    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setattr("tempfile.TemporaryFile", lambda mode, **_: Path("/dev/full").open(mode))  # noqa: SIM115
        assert [one_turn(stage, event.id) for _ in range(7)] == ["outage"] * 7
    pending = stage.town.find_event(event.id)
    assert pending
    assert pending.attempts == 0
    away = [line for line in lines if line["event"] == "store away"]
    assert len(away) == 7
    assert "is full: free space there, or set TMPDIR" in away[0]["error"]
    assert one_turn(stage, event.id) == "done"
    assert latest(stage, export_id, user).state == "ready"


def test_a_folder_that_takes_no_file_is_no_attempt_and_no_other_one_is_taken(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`tempfile` alone looks for another folder, and keeps it for the life of the process."""
    export_id, event = ask(stage.graph, user := stage.town.user())
    missing = tmp_path / "missing"
    with monkeypatch.context() as patch, capture_logs() as lines:
        patch.setenv("TMPDIR", str(missing))
        assert one_turn(stage, event.id) == "outage"
    [away] = [line for line in lines if line["event"] == "store away"]
    assert f"{missing} takes no file (No such file or directory)" in away["error"]
    assert one_turn(stage, event.id) == "done"
    assert latest(stage, export_id, user).state == "ready"


def test_another_error_of_the_disk_is_an_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, event = ask(stage.graph, stage.town.user())

    class Broken(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", lambda _mode, **_: Broken())
        assert one_turn(stage, event.id) == "failed"
