"""Announcements and their logs, on a real server."""

import time
from collections.abc import Iterator

import pytest

from storage import changes
from storage.changes import (
    CHANGES_SINCE,
    EVERYTHING,
    KEYS,
    LOG_LENGTH,
    MAX_SUBJECTS,
    NO_CHANGE,
    Change,
    Changes,
    Since,
    Subject,
)
from storage.errors import StorageUnavailableError
from storage.redis.partitions import COUNT
from storage.redis.server import Server
from tests.support.private_server import PrivateServer


@pytest.fixture
def server(private_server: PrivateServer) -> Iterator[Server]:
    server = Server("cache", private_server.url)
    yield server
    server.close()


def newest_of(server: Server) -> list[Change]:
    replies = server.execute(changes.pack_all_newest(), CHANGES_SINCE)
    found = [Change.from_bytes(changes.parse_since(reply).newest) for reply in replies]
    return [change for change in found if change]


def since(server: Server, applied: bytes, partition: int = 0) -> Since:
    [reply] = server.execute([changes.pack_since(partition, applied)], CHANGES_SINCE)
    return changes.parse_since(reply)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (changes.post(7), b"p7"),
        (changes.author(7), b"a7"),
        (changes.session(7), b"s7"),
        (changes.user(2**53), b"u9007199254740992"),
        (EVERYTHING, b"*"),
    ],
)
def test_a_subject_is_read_back_from_its_text(subject: Subject, text: bytes) -> None:
    assert subject.to_bytes() == text
    assert Subject.from_bytes(text) == subject


@pytest.mark.parametrize("text", [b"q7", b"-", b"", b"p7x", b"\xff"])
def test_a_subject_of_a_newer_version_means_everything(text: bytes) -> None:
    assert Subject.from_bytes(text) == EVERYTHING


def test_a_change_is_announced_to_every_partition_with_one_id(server: Server) -> None:
    Changes(server).announce([changes.post(7), changes.author(8)])
    newest = newest_of(server)
    assert len(newest) == COUNT
    assert len({change.id for change in newest}) == 1
    assert {change.subject for change in newest} == {changes.author(8)}
    for partition in range(COUNT):
        [latest] = server.execute([changes.pack_latest(partition)])
        log = since(server, b"%d - -" % (newest[partition].number - 1), partition)
        assert log.newest == latest
        before = since(server, b"%d - -" % (newest[partition].number - 2), partition)
        assert [change.subject for change in before.changes] == [changes.post(7), changes.author(8)]


def test_a_missing_counter_starts_at_the_clock_with_no_change(server: Server) -> None:
    for change in newest_of(server):
        assert abs(change.number / 1e6 - time.time()) < 600
        assert change.id == NO_CHANGE


def test_a_counter_that_was_lost_starts_above_every_number_before(
    server: Server, private_server: PrivateServer
) -> None:
    announcer = Changes(server)
    for _ in range(3):
        announcer.announce([changes.post(1)] * MAX_SUBJECTS)
    before = newest_of(server)
    private_server.client.flushall()
    announcer.announce([changes.post(1)])
    after = newest_of(server)
    assert all(new.number > old.number + 1 for old, new in zip(before, after, strict=True))


def test_more_subjects_than_the_limit_are_everything(server: Server) -> None:
    Changes(server).announce([changes.post(i) for i in range(MAX_SUBJECTS + 1)])
    assert {change.subject for change in newest_of(server)} == {EVERYTHING}


def test_nothing_is_announced_without_a_subject(
    server: Server, private_server: PrivateServer
) -> None:
    Changes(server).announce([])
    assert private_server.client.dbsize() == 0


def test_neither_key_expires_and_the_log_is_bounded(
    server: Server, private_server: PrivateServer
) -> None:
    for _ in range(LOG_LENGTH // MAX_SUBJECTS + 1):
        Changes(server).announce([changes.post(i) for i in range(MAX_SUBJECTS)])
    for newest, log in KEYS:
        assert private_server.client.ttl(newest) == private_server.client.ttl(log) == -1
        assert private_server.client.llen(log) == LOG_LENGTH


def test_the_log_has_what_follows_the_applied_number(server: Server) -> None:
    announcer = Changes(server)
    announcer.announce([changes.post(1)])
    applied = since(server, b"").newest
    assert since(server, applied) == Since(applied, [])
    assert since(server, applied).follows(applied)
    announcer.announce([changes.post(2)])
    announcer.announce([changes.session(3)])
    later = since(server, applied)
    assert [change.subject for change in later.changes] == [changes.post(2), changes.session(3)]
    assert later.follows(applied)


def test_a_log_that_does_not_reach_back_is_not_followed(
    server: Server, private_server: PrivateServer
) -> None:
    announcer = Changes(server)
    announcer.announce([changes.post(1)])
    applied = since(server, b"").newest
    announcer.announce([changes.post(2)])
    announcer.announce([changes.post(3)])
    private_server.client.lpop(KEYS[0][1], 2)
    assert not since(server, applied).follows(applied)


def test_another_change_of_the_same_number_is_not_followed() -> None:
    assert Since(b"7 aa p1", []).follows(b"7 aa p1")
    assert not Since(b"7 bb p1", []).follows(b"7 aa p1")
    assert not Since(b"6 aa p1", []).follows(b"7 aa p1")


def test_the_script_is_loaded_when_the_server_lacks_it(
    server: Server, private_server: PrivateServer
) -> None:
    Changes(server).announce([changes.post(1)])
    private_server.client.script_flush()
    Changes(server).announce([changes.post(2)])
    assert {change.subject for change in newest_of(server)} == {changes.post(2)}


def test_a_server_that_is_down_or_refuses_raises(
    server: Server, private_server: PrivateServer
) -> None:
    private_server.client.lpush(KEYS[-1][0], "of another type")
    with pytest.raises(StorageUnavailableError):
        Changes(server).announce([changes.post(1)])
    private_server.kill()
    with pytest.raises(StorageUnavailableError):
        Changes(server).announce([changes.post(1)])
