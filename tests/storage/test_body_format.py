"""The form of bodies: round trips, versions side by side, damage, and bounds."""

import hashlib
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from storage import body_format
from storage.body_format import (
    DICTIONARIES,
    FOLDER,
    LONGEST_BYTES,
    WRITTEN,
    BodyFormat,
    Dictionary,
    Unreadable,
    decode,
    encode,
)

BODY = json.dumps(
    {
        "id": "123456789012345",
        "author": {"id": "123456789012", "username": "ana", "name": "Ana Ö."},
        "caption": "A day at the sea",
        "location": None,
        "photos": [],
        "created_at": "2026-11-22T19:53:44.120Z",
    },
    ensure_ascii=False,
    separators=(",", ":"),
).encode()

bodies = st.one_of(
    st.binary(max_size=LONGEST_BYTES),
    st.text(max_size=3000).map(str.encode),
    st.builds(
        lambda seed, length: random.Random(seed).randbytes(length),
        st.integers(),
        st.integers(0, LONGEST_BYTES),
    ),
)


def unreadable(why: str) -> float:
    return REGISTRY.get_sample_value("photofeed_bodies_unreadable_total", {"why": why}) or 0.0


@given(bodies)
@example(b"")
@example(b"{")
@example(b"~looks like a reservation")
@example(b"\x01")
@example(b"\0" * LONGEST_BYTES)
@example(BODY)
def test_any_body_is_read_as_it_was_written(body: bytes) -> None:
    assert decode(encode(body)) == body


@given(bodies.filter(bool))
def test_a_value_is_told_from_a_tombstone_a_reservation_and_plain_json(body: bytes) -> None:
    assert encode(body)[0] == WRITTEN.version < min(b"~{")


def test_a_body_of_json_is_compressed() -> None:
    assert len(encode(BODY)) < 0.5 * len(BODY)


def test_a_plain_body_of_an_earlier_version_is_read() -> None:
    assert decode(BODY) == BODY


def test_a_tombstone_stays_empty() -> None:
    assert (encode(b""), decode(b"")) == (b"", b"")


def test_a_body_that_is_too_long_stays_plain() -> None:
    body = b'{"caption":"%s"}' % (b"x" * LONGEST_BYTES)
    assert encode(body) == body
    assert decode(body) == body


@given(st.binary(min_size=1, max_size=300))
@example(b"\x01")
@example(b"\x01\x20\x00\x01\x00\x00")  # a frame of no content: it must not read as a tombstone
def test_any_value_is_read_or_missing_and_never_an_error(value: bytes) -> None:
    body = decode(value)
    assert body is None or body


@given(st.data())
def test_a_damaged_value_is_no_error_and_no_tombstone(data: st.DataObject) -> None:
    value = bytearray(encode(BODY))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    body = decode(bytes(value))
    assert body is None or body


@given(st.integers(1, len(encode(BODY)) - 1))
def test_a_value_that_was_cut_or_continues_is_missing(length: int) -> None:
    value = encode(BODY)
    assert decode(value[:length]) is None
    assert decode(value + value[:length]) is None


@pytest.mark.parametrize("with_size", [True, False])
def test_a_value_that_would_inflate_is_missing(with_size: bool) -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=with_size
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    bomb = compressor.compress(b"x" * 50_000_000)
    assert len(bomb) < 10_000
    assert decode(b"\x01" + bomb) is None
    assert decode(b"\x01" + compressor.compress(b"x" * (LONGEST_BYTES + 1))) is None


def test_each_unreadable_value_is_counted_and_each_reason_is_logged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(body_format, "_logged", set())
    before = unreadable("version"), unreadable("damage")
    with capture_logs() as lines:
        for value in (b"\x1fnewer", b"\x1fnewer", b"\x01damaged"):
            assert decode(value) is None
    assert (unreadable("version"), unreadable("damage")) == (before[0] + 2, before[1] + 1)
    assert [(line["event"], line["why"]) for line in lines] == [
        ("body unreadable", "version"),
        ("body unreadable", "damage"),
    ]


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dictionary:
    """A second dictionary, of the version after the newest."""
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(body_format, "FOLDER", tmp_path)
    version = DICTIONARIES[-1].version + 1
    chance = random.Random(version)
    samples = [
        BODY.replace(b"sea", b"%x" % chance.getrandbits(40) * chance.randrange(9))
        for _ in range(2_000)
    ]
    data = zstandard.train_dictionary(4096, [*samples], dict_id=version).as_bytes()
    (tmp_path / f"bodies-{version}.zdict").write_bytes(data)
    return Dictionary(version=version, sha256=hashlib.sha256(data).hexdigest())


def test_processes_of_two_releases_read_each_others_bodies(next_version: Dictionary) -> None:
    """First a release reads the new version, the one after it writes it."""
    older = BodyFormat(WRITTEN, [WRITTEN, next_version])
    newer = BodyFormat(next_version, [WRITTEN, next_version])
    assert older.encode(BODY)[0] != newer.encode(BODY)[0]
    for reader in (older, newer):
        for value in (older.encode(BODY), newer.encode(BODY), BODY, b""):
            assert reader.read(value) == (BODY if value else b"")


def test_a_version_that_a_process_does_not_know_is_missing(next_version: Dictionary) -> None:
    oldest = BodyFormat(WRITTEN, [WRITTEN])
    newer = BodyFormat(next_version, [WRITTEN, next_version])
    assert oldest.read(newer.encode(BODY)) == Unreadable("version")
    assert newer.read(oldest.encode(BODY)) == BODY


def test_a_body_of_one_dictionary_is_not_read_with_another(next_version: Dictionary) -> None:
    newer = BodyFormat(next_version, [WRITTEN, next_version])
    assert newer.read(b"%c" % WRITTEN.version + newer.encode(BODY)[1:]) != BODY


def test_a_dictionary_that_changed_without_a_new_version_is_refused(
    next_version: Dictionary,
) -> None:
    file = body_format.FOLDER / f"bodies-{next_version.version}.zdict"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="needs a new version"):
        BodyFormat(WRITTEN, [WRITTEN, next_version])


def test_the_dictionaries_are_those_of_the_last_two_versions() -> None:
    versions = [dictionary.version for dictionary in DICTIONARIES]
    files = {file.name for file in FOLDER.iterdir()}
    assert {f"bodies-{version}.zdict" for version in versions} <= files
    assert len(versions) <= 2
    assert versions == sorted(set(versions))
    assert WRITTEN in DICTIONARIES
    assert all(1 <= version < 0x20 for version in versions)
    assert all(dictionary.load() for dictionary in DICTIONARIES)


def test_threads_encode_and_decode_at_once() -> None:
    def round_trips(seed: int) -> bool:
        chance = random.Random(seed)
        written = [BODY + chance.randbytes(chance.randrange(2_000)) for _ in range(300)]
        return all(decode(encode(body)) == body for body in written)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trips, range(32)))
