"""Pillow making the same renditions from file to file, with no store and no child process."""

from pathlib import Path

from PIL import Image, ImageOps

from workers.photos.imaging import JPEG_QUALITY, RENDITION_SIDES


def render(source: Path, folder: Path) -> dict[int, Path]:
    """The files of a JPEG's renditions by side. The JPEG is decoded once and set upright."""
    largest = RENDITION_SIDES[0]
    with Image.open(source) as opened:
        opened.draft("RGB", (largest, largest))
        opened.thumbnail((largest, largest), Image.Resampling.LANCZOS, reducing_gap=3.0)
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.info.clear()
    paths: dict[int, Path] = {}
    for side in RENDITION_SIDES:
        small = ImageOps.contain(image, (side, side), Image.Resampling.LANCZOS)
        paths[side] = folder / f"{source.stem}-{side}.jpg"
        small.save(paths[side], "JPEG", quality=JPEG_QUALITY, progressive=True, optimize=True)
    return paths
