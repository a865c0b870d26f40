"""The renditions of each kind of file, or the code of its refusal."""

import io
import re
import time
import zipfile

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import Image

from tests.support import images
from workers.photos import imaging
from workers.photos.errors import ImageRefusedError
from workers.photos.imaging import RenditionSet, examine_and_render

TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "HEIF": "image/heic",
}


def code_of(data: bytes, declared: str = "image/jpeg") -> str:
    with pytest.raises(ImageRefusedError) as refused:
        examine_and_render(data, declared)
    return refused.value.code


def largest(data: bytes, declared: str) -> bytes:
    """The largest rendition. Checks that none of the three has metadata."""
    rendered = examine_and_render(data, declared)
    for rendition in rendered.renditions.values():
        assert_no_metadata(rendition)
    return rendered.renditions[1080]


def assert_no_metadata(rendition: bytes) -> None:
    """Assert that the file has only the segments that a decoder needs: no EXIF, XMP or profile."""
    assert images.SECRET not in rendition
    assert images.SECRET[:8] not in rendition
    markers = set()
    at = 2
    while rendition[at + 1] != 0xDA:
        markers.add(rendition[at + 1])
        at += 2 + int.from_bytes(rendition[at + 2 : at + 4])
    assert markers <= {0xE0, 0xDB, 0xC2, 0xC4}
    with Image.open(io.BytesIO(rendition)) as image:
        assert not image.getexif()
        assert set(image.info) <= {
            "jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression",
        }  # fmt: skip


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_plain_picture_is_shown_as_it_is(file_format: str) -> None:
    data = images.encoded(images.quadrants(), file_format)
    assert images.looks_right(largest(data, TYPES[file_format]))


# Security 18
def test_a_progressive_jpeg_is_shown() -> None:
    assert images.looks_right(largest(images.jpeg(progressive=True), "image/jpeg"))


def test_a_grey_jpeg_is_shown_in_its_greys() -> None:
    data = images.encoded(images.quadrants().convert("L"), "JPEG")
    brightness = [sum(colour) // 3 for colour in images.colours_of(largest(data, "image/jpeg"))]
    assert brightness == pytest.approx([87, 130, 51, 240], abs=3)


# Security 18
def test_a_cmyk_jpeg_is_shown_in_its_colours() -> None:
    assert images.looks_right(largest(images.cmyk_jpeg(), "image/jpeg"))


# Security 18
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_png_of_16_bits_is_shown_in_its_colours(mode: str) -> None:
    assert images.looks_right(largest(images.deep_png(mode), "image/png"))


def test_a_grey_png_of_16_bits_keeps_its_greys() -> None:
    brightness = [
        colour[0] for colour in images.colours_of(largest(images.deep_png("L"), "image/png"))
    ]
    assert brightness == pytest.approx([87, 130, 51, 240], abs=3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA"])
def test_a_png_of_any_mode_is_shown(mode: str) -> None:
    image = Image.new("L", (64, 64), 255).convert(mode if mode != "PA" else "P")
    options = {"transparency": 0} if mode == "PA" else {}
    data = images.encoded(image, "PNG", **options)
    assert set(images.colours_of(largest(data, "image/png"))) == {(255, 255, 255)}


# Security 18
@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_transparent_pixels_become_white(file_format: str) -> None:
    image = images.quadrants().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    data = images.encoded(
        image, file_format, **({"lossless": True, "exact": True} if file_format == "WEBP" else {})
    )
    assert set(images.colours_of(largest(data, TYPES[file_format]))) == {(255, 255, 255)}


def test_half_transparent_black_becomes_grey() -> None:
    data = images.encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 128)), "PNG")
    assert {colour[0] for colour in images.colours_of(largest(data, "image/png"))} == {127}


def test_one_transparent_colour_of_a_png_or_gif_becomes_white() -> None:
    red = images.quadrants().quantize(4)
    index = red.getpixel((0, 0))
    for file_format in ("PNG", "GIF"):
        data = images.encoded(red, file_format, transparency=index)
        assert min(images.colours_of(largest(data, TYPES[file_format]))[0]) >= 253


# Security 18
def test_a_heic_is_turned_upright_and_has_no_metadata() -> None:
    data = images.heic()
    assert images.SECRET in data
    assert images.looks_right(largest(data, "image/heic"))


# Security 18
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_is_turned_upright(file_format: str, orientation: int) -> None:
    data = images.oriented(orientation, file_format)
    rendered = examine_and_render(data, TYPES[file_format])
    assert (rendered.width, rendered.height) == (96, 64)
    assert images.looks_right(largest(data, TYPES[file_format]))


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_invalid_orientation_is_ignored(orientation: int) -> None:
    assert images.looks_right(largest(images.jpeg(exif=images.exif(orientation)), "image/jpeg"))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_corrupt_exif_is_ignored() -> None:
    for rubbish in (
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\xff" * 90,
    ):
        assert images.looks_right(largest(images.jpeg(exif=rubbish), "image/jpeg"))


# Security 18
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_no_metadata_of_a_file_is_in_a_rendition(file_format: str) -> None:
    data = images.with_metadata(file_format)
    assert file_format == "PNG" or images.SECRET in data
    largest(data, TYPES[file_format])


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_colours_are_converted_to_srgb_by_the_profile(file_format: str) -> None:
    data = images.in_swapped_colours(file_format)
    assert images.looks_right(largest(data, TYPES[file_format]), within=20)


@pytest.mark.parametrize("profile", [b"rubbish", b"\0" * 200, images.swapped_profile()[:300]])
def test_an_unusable_profile_is_ignored(profile: bytes) -> None:
    assert images.looks_right(largest(images.jpeg(icc_profile=profile), "image/jpeg"))


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    cmyk = images.encoded(
        images.quadrants().convert("CMYK"), "JPEG", icc_profile=images.swapped_profile()
    )
    assert images.looks_right(largest(cmyk, "image/jpeg"))


# Security 18
def test_only_the_first_of_10_000_frames_of_a_gif_is_decoded() -> None:
    data = images.gif(10_000)
    began = time.process_time()
    assert images.looks_right(largest(data, "image/gif"))
    assert time.process_time() - began < 1


# Security 18
@pytest.mark.parametrize(
    "tail", [b"<script>alert(1)</script>", b"PK\x03\x04 a zip", b"%PDF-1.7 " * 1000]
)
def test_bytes_after_the_picture_are_not_in_its_renditions(tail: bytes) -> None:
    for file_format in ("JPEG", "PNG", "WEBP", "GIF"):
        data = images.encoded(images.quadrants(), file_format) + tail
        assert tail[:8] not in largest(data, TYPES[file_format])


def test_a_large_picture_is_reduced_in_proportion() -> None:
    rendered = examine_and_render(images.jpeg(3000, 2000), "image/jpeg")
    assert (rendered.width, rendered.height) == (3000, 2000)
    assert sizes_of(rendered) == {1080: (1080, 720), 640: (640, 427), 320: (320, 213)}
    assert all(images.looks_right(data) for data in rendered.renditions.values())


def test_a_portrait_is_measured_by_its_height() -> None:
    rendered = examine_and_render(images.jpeg(1500, 3000), "image/jpeg")
    assert sizes_of(rendered) == {1080: (540, 1080), 640: (320, 640), 320: (160, 320)}


def test_a_small_picture_is_never_enlarged() -> None:
    rendered = examine_and_render(images.jpeg(500, 200), "image/jpeg")
    assert sizes_of(rendered) == {1080: (500, 200), 640: (500, 200), 320: (320, 128)}
    rendered = examine_and_render(images.jpeg(500, 100), "image/jpeg")
    assert sizes_of(rendered) == {1080: (500, 100), 640: (500, 100), 320: (474, 95)}


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        ((2700, 800), {1080: (1080, 320), 640: (640, 190), 320: (320, 95)}),  # 27:8, as usual
        ((8000, 1000), {1080: (2560, 320), 640: (1517, 190), 320: (759, 95)}),  # a panorama
        ((1080, 12_000), {1080: (320, 3556), 640: (190, 2107), 320: (95, 1053)}),  # a chat
        ((13_500, 1000), {1080: (4320, 320), 640: (2560, 190), 320: (1280, 95)}),
        ((20_000, 1000), {1080: (4320, 216), 640: (2560, 128), 320: (1280, 64)}),  # the bound
    ],
)
def test_panoramas_and_tall_screenshots_stay_legible(
    size: tuple[int, int], sizes: dict[int, tuple[int, int]]
) -> None:
    rendered = examine_and_render(images.jpeg(*size), "image/jpeg")
    assert (rendered.width, rendered.height) == size
    assert sizes_of(rendered) == sizes
    assert all(images.looks_right(data, within=20) for data in rendered.renditions.values())


@given(width=st.integers(32, 60_000), height=st.integers(32, 60_000))
@example(width=32, height=60_000)
def test_a_rendition_of_any_size_keeps_to_its_bounds(width: int, height: int) -> None:
    assume(width * height <= imaging.MAX_PIXELS)
    for side in imaging.RENDITION_SIDES:
        small = imaging.rendition_size((width, height), side)
        assert small[0] <= width
        assert small[1] <= height
        assert max(small) <= 4 * side
        assert small[0] * small[1] <= 1.25 * side * side  # no more than of a square
        legible = min(width, height, round(side * 8 / 27))
        assert min(small) >= legible or max(small) == 4 * side
        if max(width, height) * 8 <= min(width, height) * 27:
            assert max(small) == min(side, max(height, width))


def test_a_long_strip_keeps_at_least_a_row() -> None:
    rendered = examine_and_render(images.jpeg(65_000, 32), "image/jpeg")
    assert sizes_of(rendered) == {1080: (4320, 2), 640: (2560, 1), 320: (1280, 1)}


def sizes_of(rendered: RenditionSet) -> dict[int, tuple[int, int]]:
    return {side: Image.open(io.BytesIO(data)).size for side, data in rendered.renditions.items()}


def test_the_blurhash_has_more_components_along_the_longer_side() -> None:
    lying = examine_and_render(images.jpeg(96, 64), "image/jpeg").blurhash
    standing = examine_and_render(images.jpeg(64, 96), "image/jpeg").blurhash
    assert re.fullmatch(r"L\S{27}", lying)
    assert re.fullmatch(r"T\S{27}", standing)


def test_the_same_file_gives_the_same_bytes_twice() -> None:
    data = images.photograph(800, 600)
    assert examine_and_render(data, "image/jpeg") == examine_and_render(data, "image/jpeg")


# Security 17
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"plain words",
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<!DOCTYPE html><img src=x onerror=alert(1)>",
        b"%PDF-1.7\n1 0 obj\n",
        b"\xff\xd8\xff" + b"<html>" * 50,
        b"\0\0\0\x18ftypmp42\0\0\0\0isommp42",
    ],
)
def test_bytes_that_are_no_image_are_refused(data: bytes) -> None:
    assert code_of(data) == "not-an-image"


def test_a_zip_is_no_image() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("photo.jpg", images.jpeg())
    assert code_of(out.getvalue()) == "not-an-image"


# Security 17
@pytest.mark.parametrize("declared", sorted(imaging.FORMATS))
def test_another_type_than_declared_is_refused(declared: str) -> None:
    files = {
        TYPES[file_format]: images.encoded(images.quadrants(), file_format)
        for file_format in ("JPEG", "PNG", "WEBP", "GIF")
    } | {"image/heic": images.heic()}
    for actual, data in files.items():
        if actual != declared:
            assert code_of(data, declared) == "wrong-content-type"


@pytest.mark.parametrize(
    "data",
    [
        images.encoded(images.quadrants(), "TIFF"),
        b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
        b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf",
    ],
)
def test_a_format_that_is_not_accepted_is_a_wrong_content_type(data: bytes) -> None:
    assert code_of(data, "image/heic") == "wrong-content-type"


@pytest.mark.parametrize("tenths", range(1, 10))
@pytest.mark.parametrize("file_format", ["JPEG", "progressive", "PNG", "WEBP", "GIF", "HEIF"])
def test_a_file_cut_anywhere_is_truncated(file_format: str, tenths: int) -> None:
    if file_format == "HEIF":
        whole, declared = images.heic(), "image/heic"
    elif file_format == "progressive":
        whole, declared = images.jpeg(progressive=True), "image/jpeg"
    else:
        whole = images.encoded(images.quadrants(), file_format)
        declared = TYPES[file_format]
    assert code_of(whole[: len(whole) * tenths // 10], declared) == "truncated"


def test_a_large_jpeg_cut_near_its_end_is_truncated() -> None:
    whole = images.photograph(2400, 1800)
    assert code_of(whole[: len(whole) * 98 // 100]) == "truncated"


# Security 17
@pytest.mark.parametrize("side", [12_000, 30_000])
def test_a_png_bomb_is_refused_by_its_header(side: int) -> None:
    data = images.large_png(side)
    assert len(data) < 200_000
    assert code_of(data, "image/png") == "too-many-pixels"


# Security 17
def test_bombs_of_other_formats_are_refused_by_their_headers() -> None:
    heic = images.resized_header(images.heic(), 30_000, 30_000)
    assert code_of(heic, "image/heic") == "too-many-pixels"
    assert code_of(images.webp_with_canvas(16_383, 16_383), "image/webp") == "too-many-pixels"
    gif = bytearray(images.encoded(images.quadrants(), "GIF"))
    gif[6:10] = b"\xff\xff\xff\xff"
    assert code_of(bytes(gif), "image/gif") == "too-many-pixels"


def test_just_over_forty_megapixels_is_too_many_and_just_under_is_not() -> None:
    assert code_of(images.large_png(6_328), "image/png") == "too-many-pixels"
    assert examine_and_render(images.large_png(6_320), "image/png").width == 6_320


# Security 17
@pytest.mark.parametrize("size", [(1, 1), (31, 400), (400, 31), (65_000, 1)])
def test_a_side_too_short_is_refused(size: tuple[int, int]) -> None:
    assert code_of(images.encoded(Image.new("RGB", size), "PNG"), "image/png") == "too-small"


def test_32_pixels_are_enough() -> None:
    assert examine_and_render(images.jpeg(32, 32), "image/jpeg").width == 32


def test_a_file_over_15_megabytes_is_too_large_whatever_it_is() -> None:
    assert code_of(bytes(15_000_001)) == "too-large"


# Security 17
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_chunk_that_inflates_to_100_megabytes_is_refused(name: bytes, after: bool) -> None:
    data = images.inflating_png(name, after=after)
    assert len(data) < 200_000
    assert code_of(data, "image/png") == "not-an-image"


# Security 17
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_mangled_file_is_either_rendered_or_refused(file_format: str) -> None:
    whole = images.with_metadata(file_format)
    seen = set()
    for seed in range(150):
        try:
            for rendition in examine_and_render(
                images.mangled(whole, seed), TYPES[file_format]
            ).renditions.values():
                assert_no_metadata(rendition)
            seen.add("rendered")
        except ImageRefusedError as refused:
            seen.add(refused.code)
    assert {"rendered", "not-an-image"} <= seen
    assert seen <= {
        "rendered", "not-an-image", "wrong-content-type", "truncated", "too-many-pixels",
        "too-small",
    }  # fmt: skip


def test_the_largest_photos_are_decoded() -> None:
    data = (images.PICTURES / "forty_megapixels.heic").read_bytes()
    assert examine_and_render(data, "image/heic").width == 7_300
