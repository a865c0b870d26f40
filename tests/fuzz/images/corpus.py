"""The files that the fuzz of the image gate starts from: small, valid, and odd in many ways."""

import functools
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from tests.support import heic_files, images


@dataclass(frozen=True, slots=True)
class File:
    """A file and the type that its owner declares."""

    declared: str
    data: bytes


@functools.cache
def files() -> list[File]:
    """All of them, in a fixed order."""
    by_type = {
        "image/jpeg": _jpegs(),
        "image/png": _pngs(),
        "image/webp": _webps(),
        "image/gif": _gifs(),
        "image/heic": _heics(),
    }
    return [File(declared, data) for declared, made in by_type.items() for data in made]


def _jpegs() -> Iterator[bytes]:
    yield images.jpeg()
    yield images.jpeg(progressive=True)
    yield images.jpeg(subsampling=0, restart_marker_blocks=2, optimize=True)
    yield images.encoded(images.quadrants().convert("L"), "JPEG")
    yield images.cmyk_jpeg()
    yield images.in_swapped_colours("JPEG")
    yield images.with_metadata("JPEG")
    yield images.jpeg(33, 40) + b"PK\x03\x04 a tail"
    yield from (images.oriented(orientation) for orientation in (3, 6))
    two = [images.quadrants(), images.quadrants(48, 48)]
    yield _saved(two[0], "MPO", save_all=True, append_images=two[1:])


def _pngs() -> Iterator[bytes]:
    picture = images.quadrants()
    yield from (_saved(picture.convert(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGBA"))
    yield from (images.deep_png(mode) for mode in ("L", "RGB", "RGBA"))
    yield _saved(picture.quantize(16), "PNG", transparency=bytes(range(16)))
    yield images.with_metadata("PNG")
    yield images.in_swapped_colours("PNG")
    yield images.oriented(5, "PNG")
    yield _saved(picture, "PNG", save_all=True, append_images=[picture.rotate(90)], duration=10)
    for name in (b"zTXt", b"iTXt", b"iCCP"):
        yield images.inflating_png(name, megabytes=1)
    gamma = images.chunk(b"gAMA", (100_000).to_bytes(4))
    transparent = images.chunk(b"tRNS", b"\0\x07")
    yield images.png(32, 40, bytes(33 * 40), colour_type=0, before=gamma + transparent)


def _webps() -> Iterator[bytes]:
    picture, clear = images.quadrants(), images.quadrants().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    for options in ({}, {"lossless": True}, {"lossless": True, "exact": True, "method": 6}):
        yield _saved(picture, "WEBP", **options)
        yield _saved(clear, "WEBP", **options)
    yield _saved(clear, "WEBP", save_all=True, append_images=[clear.rotate(90)], duration=10)
    yield images.with_metadata("WEBP")
    yield images.in_swapped_colours("WEBP")
    yield images.oriented(8, "WEBP")
    yield images.webp_with_canvas(96, 64)


def _gifs() -> Iterator[bytes]:
    picture = images.quadrants()
    yield images.gif(1)
    yield images.gif(20)
    yield images.with_metadata("GIF")
    yield _saved(picture.quantize(4), "GIF", transparency=1, interlace=1)
    frames = [picture.rotate(angle) for angle in (90, 180)]
    yield _saved(picture, "GIF", save_all=True, append_images=frames, disposal=2, duration=10)


def _heics() -> Iterator[bytes]:
    crop = heic_files.Crop(40, 44, 8, 4)
    yield images.heic()
    yield images.crashing_heic()
    yield heic_files.transformed(heic_files.turn(0))
    yield heic_files.transformed(crop.box())
    for times, axis in itertools.product((1, 2), (0, 1)):
        turned = (heic_files.turn(times), heic_files.mirror(axis))
        yield heic_files.transformed(crop.box(3), *turned)
        yield heic_files.transformed(*turned, crop.box())
    yield images.resized_header(images.heic(), 640, 480)
    yield heic_files.grid(3, 2)


def _saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()
