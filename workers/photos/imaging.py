"""Bytes in, renditions out: what a photo looks like, and nothing else that its file said.

Pure, and meant for a child process with limits of memory and time (`workers.photos.decoding`): the
bytes are a stranger's, and the decoders behind Pillow are large.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import blurhash
import pi_heif
from PIL import Image, ImageCms, ImageFile

MAX_BYTES = 15 * 1000 * 1000
"""The largest file taken, in bytes; what the API may promise for an upload."""
MAX_PIXELS = 40_000_000
"""The largest picture decoded; more would not fit into the child's memory."""
MIN_SIDE = 32
"""The shortest side worth showing, in pixels."""
RENDITION_SIDES = (1080, 640, 320)
"""The longest side of each rendition, in pixels; a smaller picture is never enlarged."""
JPEG_QUALITY = 82
MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""The largest colour profile looked at; printers' profiles reach about 2 MB."""

FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/heic": "HEIF",
    "image/gif": "GIF",
}
"""Content types taken, and the one Pillow plug-in that may read each."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# One decoding thread: each more would take 64 MB of address space from the child's limit.
# Only the picture itself: thumbnails, depth and other images beside it are never decoded.
pi_heif.register_heif_opener(
    decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
)

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"}
_AVIF_BRANDS = {b"avif", b"avis"}
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation → what turns the stored pixels upright."""
_ORIENTATION_TAG = 0x0112
_PROFILE_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}


class ImageRefusedError(Exception):
    """These bytes will never be a photo; `code` is stable and told to the client."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A photo ready to be shown: upright size of the original, and a JPEG for each longest side."""

    width: int
    height: int
    blurhash: str
    renditions: dict[int, bytes]


def examine_and_render(data: bytes, declared: str) -> Rendered:
    """The renditions of one file, upright, in sRGB, on white, without any metadata.

    Of moving pictures the first frame. Raises ImageRefusedError with the code `too-large`,
    `not-an-image`, `wrong-content-type`, `truncated`, `too-many-pixels` or `too-small`, and
    MemoryError where the process's limit does not suffice.
    """
    if len(data) > MAX_BYTES:
        raise ImageRefusedError("too-large")
    actual = content_type_of(data)
    if actual is None:
        raise ImageRefusedError("not-an-image")
    if actual != declared:
        raise ImageRefusedError("wrong-content-type")
    if _cut_short(data, actual):
        raise ImageRefusedError("truncated")
    image = _refusing(lambda: _opened(data, FORMATS[actual]))
    _check_size(image)
    orientation = _orientation(image)
    width, height = image.size if orientation < 5 else image.size[::-1]  # noqa: PLR2004 - 5 to 8 lie
    base = _refusing(lambda: _reduced(image))
    base = _on_white(base, base.info.get("icc_profile"))
    if orientation in _UPRIGHT:
        base = base.transpose(_UPRIGHT[orientation])
    base.info = {}  # what the file said stays behind: the resized picture holds nothing else of it
    shown = _shown(base)
    return Rendered(
        width=width,
        height=height,
        blurhash=_blurhash(shown[-1]),  # of few pixels: those of the largest say the same
        renditions={side: _jpeg(image) for side, image in zip(RENDITION_SIDES, shown, strict=True)},
    )


def rehearse() -> None:
    """Sees a small photo through, with what phones write: Pillow loads its parts at first use."""
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = next(iter(_UPRIGHT))
    file = io.BytesIO()
    Image.new("RGB", (2 * MIN_SIDE, MIN_SIDE)).save(file, "JPEG", exif=exif)
    examine_and_render(file.getvalue(), "image/jpeg")


def content_type_of(data: bytes) -> str | None:
    """What the first bytes say this is; None where they are no picture's we know of.

    Knows a few more kinds than are taken, so that those are told as a wrong type.
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
    """Where the first box ends; never far, whatever it says."""
    return min(int.from_bytes(data[:4]), len(data), 256)


def _cut_short(data: bytes, content_type: str) -> bool:
    """True where the container says that it is longer than the file.

    Its decoders call that by many names, or show what there is.
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
            if size < 8:  # noqa: PLR2004 - a box is no smaller than its header: a tail, not a box
                return False
            if at + size > len(data) and data[at + 4 : at + 8] in {b"ftyp", b"meta", b"mdat"}:
                return True
            at += size
    return False


def _refusing(read: Callable[[], Image.Image]) -> Image.Image:
    """What `read` gives; what a decoder says against the bytes becomes a code."""
    try:
        return read()
    except (ImageRefusedError, MemoryError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageRefusedError("too-many-pixels") from error
    except Exception as error:  # decoders raise anything on hostile bytes
        text = str(error).lower()
        if "memory" in text and "text chunks" not in text:
            raise MemoryError(text) from error
        told = ("truncated", "end of file", "premature", "cannot load this image")
        cut = isinstance(error, EOFError) or any(words in text for words in told)
        raise ImageRefusedError("truncated" if cut else "not-an-image") from error


def _opened(data: bytes, file_format: str) -> ImageFile.ImageFile:
    """The picture with its header read, its pixels not yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=[file_format])


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageRefusedError("too-many-pixels")
    if min(image.size) < MIN_SIDE:
        raise ImageRefusedError("too-small")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 where there is none or it cannot be read.

    A HEIC's container turns the picture itself, so its EXIF does not count; a PNG's EXIF may
    stand after the pixels, which are decoded to get there.
    """
    if image.format == "HEIF":
        return 1
    if image.format == "PNG":
        _refusing(lambda: _loaded(image))
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - hostile EXIF raises anything; the pixels are still good
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    if image.width * image.height > MAX_PIXELS:  # a GIF's frame may widen its screen
        raise ImageRefusedError("too-many-pixels")
    return image


def _reduced(image: Image.Image) -> Image.Image:
    """The pixels, no larger than the largest rendition, in a mode that can be averaged."""
    size = _size_within(image.size, RENDITION_SIDES[0])
    image.draft(None, size)  # a JPEG is decoded at the nearest eighth that is large enough
    _loaded(image)
    info = image.info
    if image.mode == "I" or image.mode.startswith("I;16"):  # 16 bits of grey
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    elif image.has_transparency_data and image.mode != "RGBA":
        image = image.convert("RGBA")
    elif image.mode in {"P", "1", "PA", "LA"}:
        image = image.convert("RGB")
    reduced = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    reduced.info = {"icc_profile": info.get("icc_profile")}
    return reduced


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB, with white behind whatever is transparent."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = _srgb(image.convert("RGB") if alpha else image, profile)
    if alpha is None:
        return colours
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=alpha)
    return white


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB by its embedded profile, or taken for sRGB where that is unusable."""
    if profile and len(profile) <= MAX_PROFILE_BYTES and _fits(profile, image.mode):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def _fits(profile: bytes, mode: str) -> bool:
    """True where the profile, by its header, describes colours stored as these are."""
    return _PROFILE_MODES.get(profile[16:20]) == mode


def _size_within(size: tuple[int, int], side: int) -> tuple[int, int]:
    longest = max(size)
    if longest <= side:
        return size
    width, height = (max(1, round(length * side / longest)) for length in size)
    return width, height


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _shown(image: Image.Image) -> list[Image.Image]:
    """The renditions' pixels, largest first, each made of the one before it, which is less work.

    Their sizes are by the largest: rounded twice, a side would be a pixel off.
    """
    shown: list[Image.Image] = []
    before = image
    for side in RENDITION_SIDES:
        before = _resized(before, _size_within(image.size, side))
        shown.append(before)
    return shown


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY, progressive=True, optimize=True)
    return out.getvalue()


def _blurhash(image: Image.Image) -> str:
    """A few characters that stand for the picture until it is there; 12 components in all."""
    small = _resized(image, _size_within(image.size, 32)).copy()
    across, down = (4, 3) if image.width >= image.height else (3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how it asks Pillow for the pixels
        return str(blurhash.encode(small, across, down))
