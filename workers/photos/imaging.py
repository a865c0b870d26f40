"""Renders a photo: bytes in, renditions out, without any of the file's metadata. Pure.

Runs in a child process with limits of memory and time (`workers.photos.decoding`), as the bytes are
untrusted and the decoders behind Pillow are large.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import blurhash
import pi_heif
from PIL import Image, ImageFile

from workers.photos import colours, heic, png
from workers.photos.errors import ImageRefusedError

MAX_BYTES = 15 * 1000 * 1000
"""The largest file accepted, in bytes. The API states the same limit for an upload."""
MAX_PIXELS = 40_000_000
"""The largest picture decoded: a larger one would not fit into the child's memory."""
MIN_SIDE = 32
"""The shortest side accepted, in pixels."""
RENDITION_SIDES = (1080, 640, 320)
"""The longest side of each rendition, in pixels. A smaller picture is never enlarged."""
LEAST_SHORT_SIDE = Fraction(320, 1080)
"""The shortest side of a rendition, as a part of its longest: panoramas and tall screenshots are
made larger, so that they stay legible. A phone's screen is 320 to 430 points wide."""
MOST_LONG_SIDE = 4
"""Times the usual longest side: the bound of such a rendition."""
JPEG_QUALITY = 82

FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/heic": "HEIF",
    "image/gif": "GIF",
}
"""Content types accepted, and the one Pillow plug-in that may read each."""

REFUSAL_CODES = {
    "too-large",
    "not-an-image",
    "wrong-content-type",
    "truncated",
    "too-many-pixels",
    "too-small",
}
"""The codes with which a file is refused."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# One decoding thread: each further thread takes 64 MB of the child's address space.
# Thumbnails, depth images and other images beside the picture are never decoded.
pi_heif.register_heif_opener(
    decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
)

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}
_UPRIGHT_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → the transpose that turns the stored pixels upright."""
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True, kw_only=True)
class RenditionSet:
    """A photo's renditions, JPEGs by their usual longest side, with the original's upright size."""

    width: int
    height: int
    blurhash: str
    renditions: dict[int, bytes]


def examine_and_render(data: bytes, declared: str) -> RenditionSet:
    """The renditions of one file: upright, in sRGB, on white, without any metadata.

    Of an animation the first frame is used. Raises ImageRefusedError with one of REFUSAL_CODES, and
    MemoryError if the process's memory limit is too small.
    """
    if len(data) > MAX_BYTES:
        raise ImageRefusedError("too-large")
    actual = content_type_of(data)
    if actual is None:
        raise ImageRefusedError("not-an-image")
    if actual != declared:
        raise ImageRefusedError("wrong-content-type")
    if _is_truncated(data, actual):
        raise ImageRefusedError("truncated")
    image = _translate_errors(lambda: _decode(data, actual))
    orientation = 1 if actual == "image/heic" else _orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]  # noqa: PLR2004 - 5 to 8 turn by 90°
    base = colours.flatten_on_white(_translate_errors(lambda: _reduce(image)))
    if orientation in _UPRIGHT_TRANSPOSES:
        base = base.transpose(_UPRIGHT_TRANSPOSES[orientation])
    base.info = {}  # removes the file's last metadata: the resized picture has no other
    images = _rendition_images(base, (width, height))
    return RenditionSet(
        width=width,
        height=height,
        blurhash=_blurhash(images[-1]),  # the smallest: it gives the same hash for less work
        renditions={
            side: _encode_jpeg(image) for side, image in zip(RENDITION_SIDES, images, strict=True)
        },
    )


def load_decoders() -> None:
    """Render small pictures, so that Pillow loads its plug-ins and what these import at first use.

    A confined child can open no file, a module's neither.
    """
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = next(iter(_UPRIGHT_TRANSPOSES))
    profile = colours.srgb_profile()
    for content_type in FORMATS.keys() - {"image/heic"}:  # there is no encoder of it
        file = io.BytesIO()
        picture = Image.new("RGB", (2 * MIN_SIDE, MIN_SIDE))
        picture.save(file, FORMATS[content_type], exif=exif, icc_profile=profile)
        examine_and_render(file.getvalue(), content_type)


def content_type_of(data: bytes) -> str | None:
    """The content type by the file's first bytes; None if they are no known picture's.

    Knows a few more types than are accepted, so that those are refused as `wrong-content-type`.
    """
    for start, content_type in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
    ):
        if data.startswith(start):
            return content_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, _ftyp_end(data), 4))}
        if brands & _AVIF_BRANDS and data[8:12] not in _HEIC_BRANDS - {b"mif1", b"msf1"}:
            return "image/avif"
        if brands & _HEIC_BRANDS:
            return "image/heic"
    return None


def _ftyp_end(data: bytes) -> int:
    """The end of the first box; at most 256, even if the box states a greater length."""
    return min(int.from_bytes(data[:4]), len(data), 256)


def _is_truncated(data: bytes, content_type: str) -> bool:
    """Whether the container states a greater length than the file has.

    The decoders of these formats report this with various errors, or decode a part.
    """
    if content_type == "image/webp":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if content_type == "image/heic":
        at = 0
        while at + 8 <= len(data):
            size = int.from_bytes(data[at : at + 4])
            if size == 1:
                size = int.from_bytes(data[at + 8 : at + 16])
            if size == 0:  # to the end of the file
                return False
            if size < 8:  # noqa: PLR2004 - shorter than a box header: trailing bytes, no box
                return False
            if at + size > len(data) and data[at + 4 : at + 8] in {b"ftyp", b"meta", b"mdat"}:
                return True
            at += size
    return False


def _translate_errors(read: Callable[[], Image.Image]) -> Image.Image:
    """The result of `read`. Translates a decoder's errors into ImageRefusedError."""
    try:
        return read()
    except (ImageRefusedError, MemoryError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageRefusedError("too-many-pixels") from error
    except Exception as error:  # hostile bytes can raise any exception
        text = str(error).lower()
        if "memory" in text and "text chunks" not in text:
            raise MemoryError(text) from error
        phrases = ("truncated", "end of file", "premature", "cannot load this image")
        truncated = isinstance(error, EOFError) or any(phrase in text for phrase in phrases)
        raise ImageRefusedError("truncated" if truncated else "not-an-image") from error


def _open(data: bytes, file_format: str) -> ImageFile.ImageFile:
    """The picture with its header read and its pixels not decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=[file_format])


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageRefusedError("too-many-pixels")
    if min(image.size) < MIN_SIDE:
        raise ImageRefusedError("too-small")


def _decode(data: bytes, content_type: str) -> Image.Image:
    """The picture, its size checked. Of a JPEG, WebP or GIF the pixels are decoded later.

    A PNG's EXIF can follow its pixels, and a HEIC's size can change while it is decoded.
    """
    if content_type == "image/png":
        return _decode_png(png.readable(data))
    image = _open(data, FORMATS[content_type])
    _check_size(image)
    return _decode_heic(data, image) if content_type == "image/heic" else image


def _decode_png(data: bytes) -> Image.Image:
    image = _open(data, "PNG")
    _check_size(image)
    _load(image)
    if image.mode == "RGBA" and png.has_grey_alpha(data):  # of 16 bits
        grey = image.convert("LA")
        grey.info = image.info
        return grey
    return image


def _decode_heic(data: bytes, image: Image.Image) -> Image.Image:
    """The picture; one that libheif refuses to crop is decoded whole and cropped here."""
    try:
        return _load(image)
    except ImageRefusedError:
        raise
    except Exception:
        whole = heic.uncropped(data)
        if whole is None:
            raise
    frame = _open(whole.data, "HEIF")
    _check_size(frame)
    if _load(frame).size != whole.size:
        raise ImageRefusedError("not-an-image")
    return frame.crop(whole.box)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 if there is none or it is unreadable.

    A HEIC's is not asked for: its decoder has already turned the picture.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - hostile EXIF can raise any exception; the pixels are intact
        return 1
    return orientation if orientation in _UPRIGHT_TRANSPOSES else 1


def _load(image: Image.Image) -> Image.Image:
    image.load()
    if image.width * image.height > MAX_PIXELS:  # a GIF's frame can be larger than its screen
        raise ImageRefusedError("too-many-pixels")
    return image


def _reduce(image: Image.Image) -> Image.Image:
    """The picture reduced to the largest rendition's size, in a mode that can be averaged.

    Its info tells what its colours mean.
    """
    size = rendition_size(image.size, RENDITION_SIDES[0])
    image.draft(None, size)  # decodes a JPEG at the smallest scale of n/8 that is large enough
    _load(image)
    info = image.info
    reduced = colours.averageable(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    reduced.info = {name: info[name] for name in colours.INFO if name in info}
    return reduced


def rendition_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size of the rendition `side` of a picture of this size: as long as `side`, at most.

    A picture longer than 27:8 is larger: its shortest side has 8/27 of `side`, as long as its
    longest has at most four times `side`. None is enlarged.
    """
    longest, shortest = max(size), min(size)
    scale = max(Fraction(side, longest), LEAST_SHORT_SIDE * side / shortest)
    return _scaled(size, min(scale, Fraction(MOST_LONG_SIDE * side, longest), Fraction(1)))


def _scaled(size: tuple[int, int], scale: Fraction) -> tuple[int, int]:
    width, height = (max(1, round(length * scale)) for length in size)
    return width, height


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _rendition_images(image: Image.Image, original: tuple[int, int]) -> list[Image.Image]:
    """The renditions' pixels, largest first, each resized from the one before to save work.

    All sizes derive from the original's: rounding twice would make a side wrong by a pixel.
    """
    images: list[Image.Image] = []
    previous = image
    for side in RENDITION_SIDES:
        previous = _resize(previous, rendition_size(original, side))
        images.append(previous)
    return images


def _encode_jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY, progressive=True, optimize=True)
    return out.getvalue()


def _blurhash(image: Image.Image) -> str:
    """The blurhash, a placeholder of a few characters, with 12 components."""
    scale = min(Fraction(32, max(image.size)), Fraction(1))
    small = _resize(image, _scaled(image.size, scale)).copy()
    across, down = (4, 3) if image.width >= image.height else (3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from blurhash's use of Pillow
        return str(blurhash.encode(small, across, down))
