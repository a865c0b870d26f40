import pytest

from api.schemas import content_types
from api.services.photos import CONTENT_TYPES


@pytest.mark.parametrize(
    ("spelling", "content_type"),
    [
        ("image/jpg", "image/jpeg"),
        ("image/pjpeg", "image/jpeg"),
        ("IMAGE/JPEG", "image/jpeg"),
        ("Image/Jpg; charset=binary", "image/jpeg"),
        (" image/jpeg ", "image/jpeg"),
        ("image/jpeg;", "image/jpeg"),
        ("image/x-citrix-jpeg", "image/jpeg"),
        ("image/x-png", "image/png"),
        ("image/apng", "image/png"),
        ("image/heif", "image/heic"),
        ("image/HEIC", "image/heic"),
        ("image/heic-sequence", "image/heic"),
        ("image/heif-sequence", "image/heic"),
        ('image/heic; codecs="hvc1"', "image/heic"),
        ("image/x-webp", "image/webp"),
        ("image/GIF", "image/gif"),
    ],
)
def test_a_content_type_is_understood_as_phones_and_browsers_spell_it(
    spelling: str, content_type: str
) -> None:
    assert content_types.normalize(spelling) == content_type


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_usual_content_type_stays_as_it_is(content_type: str) -> None:
    assert content_types.normalize(content_type) == content_type


@pytest.mark.parametrize(
    "other",
    [
        "image/svg+xml", "image/*", "*/*", "image/", "", "jpeg", "image/avif", "image/tiff",
        "image/bmp", "application/octet-stream", "text/html; image/jpeg", "image/jpeg/x",
        "image/jpeg, image/png", "image /jpeg",
    ],
)  # fmt: skip
def test_a_type_that_is_not_a_photos_stays_so(other: str) -> None:
    assert content_types.normalize(other) not in CONTENT_TYPES
