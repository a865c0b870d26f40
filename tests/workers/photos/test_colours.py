"""Grey profiles, and the gamma of PNG files."""

import struct
import zlib

import pytest
from PIL import Image

from tests.support import images
from tests.support.images import chunk
from workers.photos.imaging import examine_and_render

LINEAR = 188
"""sRGB's value of half of the light."""


def grey_profile() -> bytes:
    """A profile of greys whose values are amounts of light."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63_190, 65_536, 54_061)
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    first = 128 + 4 + 2 * 12
    tags = struct.pack(
        ">I4sII4sII", 2, b"wtpt", first, len(white), b"kTRC", first + len(white), len(curve)
    )
    header = bytearray(128)
    struct.pack_into(">I4sI4s4s4s", header, 0, first + len(white) + len(curve), b"", 0x02100000,
                     b"mntr", b"GRAY", b"XYZ ")  # fmt: skip
    header[36:40] = b"acsp"
    struct.pack_into(">3i", header, 68, 63_190, 65_536, 54_061)
    return bytes(header) + tags + white + curve


PROFILE = chunk(b"iCCP", b"grey\0\0" + zlib.compress(grey_profile()))
LINEAR_GAMMA = chunk(b"gAMA", struct.pack(">I", 100_000))


def brightness(data: bytes, content_type: str = "image/png") -> list[int]:
    """Of each quadrant. Asserts that it is grey."""
    colours = images.colours_of(examine_and_render(data, content_type).renditions[1080])
    assert all(max(colour) - min(colour) <= 2 for colour in colours)
    return [colour[0] for colour in colours]


def grey_png(
    pixel: bytes, colour_type: int, *chunks: bytes, depth: int = 8, other: bytes = b""
) -> bytes:
    """64 by 64 of this pixel, or of `other` in the right half."""
    row = b"\0" + pixel * 32 + (other or pixel) * 32
    return images.png(
        64, 64, row * 64, depth=depth, colour_type=colour_type, before=b"".join(chunks)
    )


@pytest.mark.parametrize(
    ("pixel", "colour_type", "depth"),
    [
        (b"\x80", 0, 8),
        (b"\x80\x80", 0, 16),
        (b"\x80\xff", 4, 8),
        (b"\x80\x80\xff\xff", 4, 16),
    ],
)
def test_greys_are_converted_by_their_profile(pixel: bytes, colour_type: int, depth: int) -> None:
    data = grey_png(pixel, colour_type, PROFILE, depth=depth)
    assert brightness(data) == pytest.approx([LINEAR] * 4, abs=3)


def test_greys_of_a_jpeg_are_converted_by_their_profile() -> None:
    data = images.encoded(Image.new("L", (64, 64), 128), "JPEG", icc_profile=grey_profile())
    assert brightness(data, "image/jpeg") == pytest.approx([LINEAR] * 4, abs=3)


def test_transparent_greys_with_a_profile_become_white() -> None:
    data = grey_png(b"\x80\xff", 4, PROFILE, other=b"\x80\0")
    assert brightness(data) == pytest.approx([LINEAR, 255] * 2, abs=3)
    half = grey_png(b"\x80\x80", 4, PROFILE)
    assert brightness(half) == pytest.approx([(LINEAR + 255) // 2] * 4, abs=3)


def test_one_transparent_grey_with_a_profile_becomes_white() -> None:
    transparent = chunk(b"tRNS", struct.pack(">H", 0x20))
    data = grey_png(b"\x80", 0, PROFILE, transparent, other=b"\x20")
    assert brightness(data) == pytest.approx([LINEAR, 255] * 2, abs=3)


def test_a_grey_profile_of_a_coloured_picture_is_ignored() -> None:
    data = images.encoded(images.quadrants(), "PNG", icc_profile=grey_profile())
    assert images.looks_right(examine_and_render(data, "image/png").renditions[1080])


@pytest.mark.parametrize(
    ("pixel", "colour_type", "depth"),
    [
        (b"\x80", 0, 8),
        (b"\x80\x80", 0, 16),
        (b"\x80\xff", 4, 8),
        (b"\x80\x80\x80", 2, 8),
        (b"\x80\x80\x80\xff", 6, 8),
        (b"\x80\x80" * 3, 2, 16),
    ],
)
def test_a_gamma_is_applied(pixel: bytes, colour_type: int, depth: int) -> None:
    data = grey_png(pixel, colour_type, LINEAR_GAMMA, depth=depth)
    assert brightness(data) == pytest.approx([LINEAR] * 4, abs=4)


def test_the_gamma_of_a_palette_is_applied() -> None:
    palette = chunk(b"PLTE", b"\x80\x80\x80")
    assert brightness(grey_png(b"\0", 3, LINEAR_GAMMA, palette)) == pytest.approx(
        [LINEAR] * 4, abs=4
    )


@pytest.mark.parametrize("gamma", [45_455, 45_000, 47_000, 0, 1, 9_999, 1_000_001, 0xFFFFFFFF])
def test_a_usual_or_absurd_gamma_changes_nothing(gamma: int) -> None:
    data = grey_png(b"\x80", 0, chunk(b"gAMA", struct.pack(">I", gamma)))
    assert brightness(data) == pytest.approx([128] * 4, abs=2)


def test_a_gamma_is_ignored_beside_a_profile_or_the_mark_of_srgb() -> None:
    assert brightness(grey_png(b"\x80", 0, LINEAR_GAMMA, chunk(b"sRGB", b"\0"))) == [128] * 4
    both = grey_png(b"\x80", 0, chunk(b"gAMA", struct.pack(">I", 200_000)), PROFILE)
    assert brightness(both) == pytest.approx([LINEAR] * 4, abs=3)


def test_a_gamma_counts_beside_a_profile_that_cannot_be_used() -> None:
    rubbish = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"rubbish"))
    assert brightness(grey_png(b"\x80", 0, LINEAR_GAMMA, rubbish)) == pytest.approx(
        [LINEAR] * 4, abs=4
    )
