"""What Pillow takes for the same renditions from file to file, with no store and no child."""

from pathlib import Path

from PIL import Image, ImageOps

from workers.photos.imaging import JPEG_QUALITY, RENDITION_SIDES


def render(source: Path, folder: Path) -> dict[int, Path]:
    """The renditions of a JPEG, each of the one before: decoded once, upright, encoded."""
    largest = RENDITION_SIDES[0]
    with Image.open(source) as opened:
        opened.draft("RGB", (largest, largest))
        opened.thumbnail((largest, largest), Image.Resampling.LANCZOS, reducing_gap=3.0)
        image = ImageOps.exif_transpose(opened).convert("RGB")
    image.info.clear()
    written: dict[int, Path] = {}
    for side in RENDITION_SIDES:
        small = ImageOps.contain(image, (side, side), Image.Resampling.LANCZOS)
        written[side] = folder / f"{source.stem}-{side}.jpg"
        small.save(written[side], "JPEG", quality=JPEG_QUALITY, progressive=True, optimize=True)
    return written
