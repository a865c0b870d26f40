"""Properties of our parsers of pictures and answers: a result that fits, or the declared error."""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.images.corpus import files
from tests.fuzz.images.mutation import mangled
from tests.support import heic_files, images
from tests.support.fuzzed import fuzzed
from workers.photos import answers, heic, png
from workers.photos.errors import PROCESSING_FAILED, ImageRefusedError
from workers.photos.imaging import REFUSAL_CODES, RENDITION_SIDES

T = TypeVar("T")

CPU_SECONDS = 2.0
"""Far more than the parsers of small files need, whatever else the machine does."""


@contextmanager
def bounded() -> Iterator[None]:
    """Assert that the work needs less than CPU_SECONDS."""
    began = time.process_time()
    yield
    assert time.process_time() - began < CPU_SECONDS


@cache
def originals(declared: str) -> list[bytes]:
    """The valid files of a type."""
    return [file.data for file in files() if file.declared == declared]


def odd_files(declared: str) -> st.SearchStrategy[bytes]:
    """Files of a type as cameras write them, mangled, cut, and no files at all."""

    def mangle(seed: int) -> bytes:
        rng = random.Random(seed)
        data = rng.choice(originals(declared))
        for _ in range(rng.choice((0, 1, 1, 3))):
            data = mangled(rng, data, declared, originals(declared))
        return data

    mangled_files = st.integers(0, 2**32).map(mangle)
    return st.one_of(
        mangled_files,
        st.tuples(mangled_files, st.integers(0, 4000)).map(lambda cut: cut[0][: cut[1]]),
        st.binary(max_size=300).map(lambda body: originals(declared)[0][:12] + body),
        st.binary(max_size=300),
    )


SMALL = st.integers(-5, 200)
NUMBERS = st.one_of(SMALL, st.sampled_from([-(2**30), 2**30, 0, 1]))
CROPS = st.builds(
    lambda divisor, *numbers: heic_files.Crop(*numbers).box(divisor),
    st.sampled_from([1, 1, 0]),
    *(NUMBERS,) * 4,
)
HEICS = st.lists(
    st.one_of(CROPS, st.integers(0, 255).map(heic_files.turn), st.just(heic_files.mirror(1))),
    min_size=1,
    max_size=4,
).map(lambda properties: heic_files.transformed(*properties))
"""Pictures with crops of any size at any place, turned and mirrored."""
PNGS = st.builds(
    lambda name, body, colour_type, depth: images.png(
        8, 8, bytes(99), depth=depth, colour_type=colour_type, before=images.chunk(name, body)
    ),
    st.sampled_from([b"tRNS", b"gAMA", b"cHRM", b"iCCP", b"pHYs"]),
    st.binary(max_size=12),
    st.integers(0, 7),
    st.sampled_from([1, 2, 4, 8, 16]),
)
"""Pictures with an odd ancillary chunk that has the right checksum."""


@fuzzed(300)
@given(data=st.one_of(PNGS, odd_files("image/png")))
def test_a_png_gets_shorter_at_most_and_keeps_no_damaged_ancillary_chunk(data: bytes) -> None:
    with bounded():
        png.has_grey_alpha(data)
        readable = png.readable(data)
    assert len(readable) <= len(data)
    assert readable[:8] == data[:8]
    for chunk in png._chunks(readable):
        assert not chunk.name[0] & 0x20 or chunk.has_right_crc, chunk.name


@fuzzed(300)
@given(data=st.one_of(HEICS, odd_files("image/heic")))
def test_a_heic_is_uncropped_within_its_picture_or_not_at_all(data: bytes) -> None:
    with bounded():
        uncropped = heic.uncropped(data)
    if uncropped is None:
        return
    left, top, right, bottom = uncropped.box
    width, height = uncropped.size
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert len(uncropped.data) == len(data)


JPEG = b"\xff\xd8\xff jpeg \xff\xd9"
VALID = {
    "width": 640,
    "height": 480,
    "blurhash": "L" * 28,
    "lengths": [len(JPEG)] * len(RENDITION_SIDES),
}
HEADER_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=30),
        st.sampled_from([2**63, 10**400, -1, 0, 1.0, "L" * 28, [1], [[]]]),
    ),
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(st.text(), below)),
    max_leaves=5,
)
HEADERS = st.one_of(
    st.dictionaries(st.sampled_from([*VALID, "code", "trace", "x"]), HEADER_VALUES).map(
        lambda changes: json.dumps({**VALID, **changes}).encode()
    ),
    st.sampled_from([b"[" * 8000, b'{"a":' * 1500, b"{" + b" " * 9000 + b"}", b"\xff", b"null"]),
    st.binary(max_size=100),
)


@fuzzed(400)
@given(
    head=HEADERS,
    body=st.one_of(st.sampled_from([JPEG * 3, JPEG * 4, JPEG * 3 + b"x"]), st.binary(max_size=60)),
    line=st.sampled_from([b"\n", b"", b"\r\n", b"\n\n"]),
)
def test_an_answer_is_renditions_or_a_refusal_with_a_known_code(
    head: bytes, body: bytes, line: bytes
) -> None:
    with bounded():
        result = _or_code(lambda: answers.parse(head + line + body))
    if isinstance(result, str):
        assert result in REFUSAL_CODES | {PROCESSING_FAILED}
        return
    assert set(result.renditions) == set(RENDITION_SIDES)
    assert b"".join(result.renditions[side] for side in RENDITION_SIDES) == body
    assert type(result.width) is type(result.height) is int
    assert len(result.blurhash) == 28


def _or_code(parse: Callable[[], T]) -> T | str:
    try:
        return parse()
    except ImageRefusedError as refused:
        return refused.code
