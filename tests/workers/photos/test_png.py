"""PNG files whose chunks are damaged or say what Pillow reads in another way than browsers."""

import struct
import zlib

import pytest
from PIL import Image

from tests.support import images
from tests.support.images import chunk
from workers.photos import png
from workers.photos.errors import ImageRefusedError
from workers.photos.imaging import examine_and_render

BODIES = {
    b"tEXt": b"Comment\0words",
    b"zTXt": b"Comment\0\0" + zlib.compress(b"words"),
    b"iTXt": b"Comment\0\0\0\0\0words",
    b"iCCP": b"swapped\0\0" + zlib.compress(images.swapped_profile()),
    b"eXIf": images.exif(3).tobytes()[6:],
    b"pHYs": struct.pack(">IIB", 2835, 2835, 1),
    b"gAMA": struct.pack(">I", 100_000),
    b"cHRM": struct.pack(">8I", *[31_270] * 8),
    b"sRGB": b"\0",
    b"cICP": b"\x0c\x0d\0\1",
    b"tRNS": struct.pack(">3H", *images.RED),
    b"tIME": b"\x07\xe8\1\1\0\0\0",
    b"bKGD": bytes(6),
    b"sBIT": b"\x08\x08\x08",
    b"sPLT": b"palette\0\x08",
    b"acTL": struct.pack(">II", 2, 0),
    b"prVt": b"of a program",
}
MALFORMED = {
    b"gAMA": [b"", b"\0\1"],
    b"cHRM": [b"", bytes(31)],
    b"pHYs": [b"", bytes(8)],
    b"sRGB": [b""],
    b"tRNS": [b"", bytes(5)],
    b"iCCP": [b"", b"no end", b"name\0", b"name\0\1" + zlib.compress(b"x"), b"name\0\0rubbish"],
    b"zTXt": [b"Comment\0\1x", b"Comment\0\0rubbish"],
    b"iTXt": [b"", b"Comment", b"Comment\0\1\0\0\0rubbish"],
    b"tEXt": [b"", b"\0"],
    b"eXIf": [b"", b"rubbish"],
    b"acTL": [b"", bytes(8), struct.pack(">II", 3, 0)],
    b"fcTL": [b"", bytes(26), struct.pack(">IIIIIHHBB", 7, 96, 64, 500, 0, 1, 1, 0, 0)],
    b"fdAT": [b"", b"\0\0\0\x09 no picture"],
}


def with_chunks(*chunks: bytes, after: bool = False) -> bytes:
    """`quadrants` with these chunks before or after its pixels."""
    image, body = images.quadrants(), b"".join(chunks)
    before, behind = (b"", body) if after else (body, b"")
    rows = images.rows_of(image)
    return images.png(image.width, image.height, rows, before=before, after=behind)


def with_wrong_crc(name: bytes, body: bytes) -> bytes:
    whole = chunk(name, body)
    return whole[:-1] + bytes([whole[-1] ^ 1])


def is_shown(data: bytes) -> bool:
    return images.looks_right(examine_and_render(data, "image/png").renditions[1080])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", sorted(BODIES))
def test_an_ancillary_chunk_with_a_wrong_crc_is_passed_over(name: bytes, after: bool) -> None:
    assert is_shown(with_chunks(with_wrong_crc(name, BODIES[name]), after=after))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("name", "body"), [(name, body) for name, bodies in MALFORMED.items() for body in bodies]
)
@pytest.mark.filterwarnings("ignore:Invalid APNG")
def test_a_malformed_ancillary_chunk_is_passed_over(name: bytes, body: bytes, after: bool) -> None:
    assert is_shown(with_chunks(chunk(name, body), after=after))


def test_many_damaged_chunks_are_passed_over_together() -> None:
    damaged = [with_wrong_crc(name, body) for name, body in BODIES.items()]
    assert is_shown(with_chunks(*damaged, chunk(b"tEXt", b"a\0b"), *damaged))


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE"])
def test_a_chunk_that_the_picture_needs_has_to_be_whole(name: bytes) -> None:
    data = images.encoded(images.quadrants().quantize(4), "PNG")
    end = data.index(name) + 4 + int.from_bytes(data[data.index(name) - 4 : data.index(name)])
    damaged = data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]
    with pytest.raises(ImageRefusedError) as refused:
        examine_and_render(damaged, "image/png")
    assert refused.value.code == "not-an-image"


def test_an_animation_shows_its_still_picture() -> None:
    frames = [Image.new("RGB", (96, 64), "black"), Image.new("RGB", (96, 64), "white")]
    data = images.encoded(
        images.quadrants(), "PNG", save_all=True, append_images=frames, default_image=True
    )
    assert b"acTL" in data
    assert is_shown(data)


def test_a_sound_file_is_read_as_it_is() -> None:
    sound = with_chunks(*(chunk(name, body) for name, body in BODIES.items() if name != b"acTL"))
    assert png.readable(sound) is sound
    assert png.readable(sound[:60]) == sound[:60]
    assert png.readable(b"") == b""


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("high_bits", [0, 0x5500])
def test_one_transparent_grey_becomes_white(depth: int, high_bits: int) -> None:
    """The left half has the transparent grey, the right half the next one."""
    transparent = {1: 0, 2: 1, 4: 5, 8: 0x55, 16: 0x5554}[depth]
    stated = transparent if depth == 16 else transparent | high_bits & -1 << depth
    row = packed([transparent] * 32 + [transparent + 1] * 32, depth)
    before = chunk(b"tRNS", struct.pack(">H", stated))
    data = images.png(64, 64, (b"\0" + row) * 64, depth=depth, colour_type=0, before=before)
    left, right, *_ = images.colours_of(examine_and_render(data, "image/png").renditions[1080])
    assert min(left) > 250
    expected = (transparent + 1) * 255 // ((1 << depth) - 1)
    assert depth == 1 or right[0] == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("depth", [8, 16])
def test_one_transparent_colour_becomes_white(depth: int) -> None:
    transparent, other = (0xDC12, 0x1E34, 0x1E56), (0x1E34, 0xDC12, 0x1E56)
    form = ">3H"
    if depth == 8:
        transparent, other, form = (0xDC, 0x1E, 0x1E), (0x1E, 0xDC, 0x1E), "3B"
    row = b"\0" + struct.pack(form, *transparent) * 32 + struct.pack(form, *other) * 32
    before = chunk(b"tRNS", struct.pack(">3H", *transparent))
    data = images.png(64, 64, row * 64, depth=depth, before=before)
    left, right, *_ = images.colours_of(examine_and_render(data, "image/png").renditions[1080])
    assert min(left) > 250
    assert right == pytest.approx((0x1E, 0xDC, 0x1E), abs=8)


def packed(values: list[int], depth: int) -> bytes:
    """A row of greys of this depth."""
    bits = "".join(f"{value:0{depth}b}" for value in values)
    return int(bits, 2).to_bytes(len(bits) // 8)
