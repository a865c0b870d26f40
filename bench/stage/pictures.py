"""Pictures as large and as hard to encode as a phone's, made from a seed alone."""

import io
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

SIZE = (4000, 3000)
"""Width and height in the file: 12 megapixels."""
QUALITY = 90
TURNED = 6
"""The EXIF orientation of a phone held upright."""

ORIENTATION = 0x0112
CLOUDS = ((8, 1.0), (32, 0.5), (128, 0.25), (512, 0.12))
"""Cells a side and weight of each layer of noise: from large shapes to fine grain."""
SHAPES = 60


def photograph(seed: int, size: tuple[int, int] = SIZE) -> bytes:
    """A JPEG with a sky, clouds at every scale, edges, grain and EXIF, stored on its side."""
    generator = random.Random(seed)
    image = Image.merge("RGB", [_channel(generator, size) for _ in range(3)])
    _draw_shapes(generator, image)
    grain = _noise(generator, (size[0] // 2, size[1] // 2), size)
    image = Image.blend(image, Image.merge("RGB", [grain] * 3), 0.1)
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    exif[0x010F], exif[0x0110] = "Maker", "Model"
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, exif=exif, comment=b"where it was taken")
    return out.getvalue()


def _channel(generator: random.Random, size: tuple[int, int]) -> Image.Image:
    """A gradient under clouds."""
    gradient = Image.linear_gradient("L").rotate(generator.randrange(360)).resize(size)
    channel = ImageOps.autocontrast(gradient)
    for cells, weight in CLOUDS:
        channel = Image.blend(channel, _noise(generator, (cells, cells), size), weight / 2)
    return channel.filter(ImageFilter.GaussianBlur(1))


def _noise(generator: random.Random, cells: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    noise = Image.frombytes("L", cells, generator.randbytes(cells[0] * cells[1]))
    return noise.resize(size, Image.Resampling.BICUBIC)


def _draw_shapes(generator: random.Random, image: Image.Image) -> None:
    pen = ImageDraw.Draw(image)
    for _ in range(SHAPES):
        x, y = generator.randrange(image.width), generator.randrange(image.height)
        box = (x, y, x + generator.randrange(20, 600), y + generator.randrange(20, 600))
        colour = (generator.randrange(256), generator.randrange(256), generator.randrange(256))
        draw = pen.ellipse if generator.random() < 0.5 else pen.rectangle  # noqa: PLR2004
        draw(box, fill=colour)


def are_alike(one: Image.Image, other: Image.Image, *, within: float) -> bool:
    """Whether two pictures have the same size and a mean difference of at most `within`, of 255."""
    if one.size != other.size:
        return False
    histogram = ImageChops.difference(one.convert("L"), other.convert("L")).histogram()
    total = sum(level * count for level, count in enumerate(histogram))
    return total / (one.width * one.height) <= within
