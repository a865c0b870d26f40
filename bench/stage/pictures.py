"""Pictures as large and as hard to encode as a phone's, made from a seed alone."""

import io
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

SIZE = (4000, 3000)
"""12 megapixels, as they lie in the file."""
QUALITY = 90
TURNED = 6
"""EXIF's orientation of a phone held upright."""

ORIENTATION = 0x0112
CLOUDS = ((8, 1.0), (32, 0.5), (128, 0.25), (512, 0.12))
"""How many cells a layer of noise has, and how much of it shows: large shapes, fine grain."""
SHAPES = 60


def photograph(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    """A JPEG with a sky, clouds at every scale, edges, grain, EXIF, stored on its side."""
    draw = random.Random(seed)
    image = Image.merge("RGB", [_channel(draw, size) for _ in range(3)])
    _draw_shapes(draw, image)
    grain = _layer(draw, (size[0] // 2, size[1] // 2), size)
    image = Image.blend(image, Image.merge("RGB", [grain] * 3), 0.1)
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    exif[0x010F], exif[0x0110] = "Maker", "Model"
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, exif=exif, comment=b"where it was taken")
    return out.getvalue()


def _channel(draw: random.Random, size: tuple[int, int]) -> Image.Image:
    """A gradient under clouds."""
    gradient = Image.linear_gradient("L").rotate(draw.randrange(360)).resize(size)
    channel = ImageOps.autocontrast(gradient)
    for cells, share in CLOUDS:
        channel = Image.blend(channel, _layer(draw, (cells, cells), size), share / 2)
    return channel.filter(ImageFilter.GaussianBlur(1))


def _layer(draw: random.Random, cells: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    noise = Image.frombytes("L", cells, draw.randbytes(cells[0] * cells[1]))
    return noise.resize(size, Image.Resampling.BICUBIC)


def _draw_shapes(draw: random.Random, image: Image.Image) -> None:
    pen = ImageDraw.Draw(image)
    for _ in range(SHAPES):
        x, y = draw.randrange(image.width), draw.randrange(image.height)
        box = (x, y, x + draw.randrange(20, 600), y + draw.randrange(20, 600))
        colour = (draw.randrange(256), draw.randrange(256), draw.randrange(256))
        (pen.ellipse if draw.random() < 0.5 else pen.rectangle)(box, fill=colour)  # noqa: PLR2004


def alike(one: Image.Image, other: Image.Image, *, within: float) -> bool:
    """Whether two pictures show the same: their mean difference, of 255, is small."""
    if one.size != other.size:
        return False
    histogram = ImageChops.difference(one.convert("L"), other.convert("L")).histogram()
    total = sum(level * count for level, count in enumerate(histogram))
    return total / (one.width * one.height) <= within
