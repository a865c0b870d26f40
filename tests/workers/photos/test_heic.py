"""Crops of HEIC files. libheif's own crop, of pictures small enough for it, is what is right."""

import io
import itertools

import pytest
from PIL import Image, ImageChops, ImageStat

from tests.support import heic_files, images
from tests.support.heic_files import Crop, mirror, transformed, turn
from workers.photos import heic
from workers.photos.errors import ImageRefusedError
from workers.photos.imaging import examine_and_render

CROPS = (
    Crop(64, 96),
    Crop(40, 40, -16, -32),
    Crop(64, 50, 0, -46),
    Crop(40, 96, 24, 0),
    Crop(34, 48, 6, 4),
)


def decoded(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=["HEIF"]) as image:
        image.load()
        return image.copy()


def cropped_by_us(data: bytes) -> Image.Image:
    whole = heic.uncropped(data)
    assert whole
    image = decoded(whole.data)
    assert image.size == whole.size
    return image.crop(whole.box)


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("divisor", [1, 3])
def test_our_crop_is_libheifs_before_any_turn_and_mirror(crop: Crop, divisor: int) -> None:
    for times, axis in itertools.product(range(4), (0, 1)):
        data = transformed(crop.box(divisor), turn(times), mirror(axis))
        assert cropped_by_us(data).tobytes() == decoded(data).tobytes(), (times, axis)
        data = transformed(crop.box(divisor), mirror(axis), turn(times))
        assert cropped_by_us(data).tobytes() == decoded(data).tobytes(), (axis, times)


@pytest.mark.parametrize("times", range(4))
@pytest.mark.parametrize("axis", [0, 1])
def test_our_crop_is_libheifs_after_a_turn_and_a_mirror(times: int, axis: int) -> None:
    crop = Crop(40, 40, 8, 4)
    for data in (
        transformed(turn(times), crop.box(), mirror(axis)),
        transformed(mirror(axis), turn(times), crop.box()),
    ):
        assert cropped_by_us(data).tobytes() == decoded(data).tobytes()


def test_a_crop_at_an_odd_pixel_is_libheifs_but_for_its_half_resolution_of_colour() -> None:
    data = transformed(Crop(33, 47, 3, 5).box(), turn(1))
    ours, theirs = cropped_by_us(data), decoded(data)
    assert ours.size == theirs.size == (47, 33)
    assert max(ImageStat.Stat(ImageChops.difference(ours, theirs)).mean) < 4


@pytest.mark.parametrize(
    ("crop", "size"),
    [
        (Crop(1200, 800, -1300, 526), (1200, 800)),
        (Crop(200, 800, -1300, 526), (200, 800)),
        (Crop(1001, 801, -1301, 525), (1001, 801)),
    ],
)
def test_a_crop_well_below_the_coded_size_is_shown(crop: Crop, size: tuple[int, int]) -> None:
    rendered = examine_and_render(heic_files.large(crop), "image/heic")
    assert (rendered.width, rendered.height) == size
    colours = images.colours_of(rendered.renditions[320])
    assert [colour.index(max(colour)) for colour in colours] == [0, 0, 2, 0]
    assert min(max(colour) for colour in colours) > 190


def test_a_crop_in_a_corner_is_shown() -> None:
    crop = Crop(400, 300, -(7300 - 400), 5475 - 300)
    rendered = examine_and_render(heic_files.large(crop), "image/heic")
    assert {
        colour.index(max(colour)) for colour in images.colours_of(rendered.renditions[320])
    } == {2}


def test_the_size_of_a_crop_beyond_the_picture_is_what_is_shown() -> None:
    rendered = examine_and_render(transformed(Crop(60, 60, 40, 60).box()), "image/heic")
    with Image.open(io.BytesIO(rendered.renditions[1080])) as shown:
        assert shown.size == (rendered.width, rendered.height)
    assert rendered.width < 60


@pytest.mark.parametrize(
    ("crop", "box"),
    [
        (Crop(60, 60, 40, 60), (22, 48, 64, 96)),
        (Crop(60, 60, -40, -60), (0, 0, 42, 48)),
        (Crop(500, 500), (0, 0, 64, 96)),
    ],
)
def test_our_crop_ends_with_the_picture(crop: Crop, box: heic.Box) -> None:
    found = heic.uncropped(transformed(crop.box()))
    assert found
    assert found.box == box


@pytest.mark.parametrize("size", [(31, 500), (500, 0), (0, 0)])
def test_a_crop_that_leaves_too_little_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ImageRefusedError) as refused:
        examine_and_render(heic_files.large(Crop(*size)), "image/heic")
    assert refused.value.code in {"too-small", "not-an-image"}


def test_a_file_without_a_crop_or_with_a_damaged_one_is_left_alone() -> None:
    assert heic.uncropped(images.heic()) is None
    assert heic.uncropped(b"") is None
    whole = transformed(Crop(40, 40).box(), turn(1))
    for end in range(len(whole)):
        heic.uncropped(whole[:end])
    for seed in range(300):
        heic.uncropped(images.mangled(whole, seed))
    assert heic.uncropped(whole.replace(b"\0\0\0\x02", bytes(4))) is None


def test_bytes_after_the_last_box_change_nothing() -> None:
    whole = transformed(Crop(40, 40).box(), turn(1))
    found = heic.uncropped(whole + b"SEFH tail of a phone")
    assert found
    assert (found.size, found.box) == ((96, 64), (28, 12, 68, 52))
