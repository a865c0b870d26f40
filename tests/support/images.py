"""The pictures that tests upload: valid, unusual and hostile ones.

All are generated, except the HEIC files in tests/support/pictures/, as no installed library writes
HEIC. pillow-heif has made them from `quadrants`; `turned.heic` has EXIF, GPS, XMP, orientation 6.
"""

import functools
import io
import random
import struct
import zlib
from pathlib import Path

from PIL import Image, ImageCms, ImageStat, PngImagePlugin

PICTURES = Path(__file__).parent / "pictures"
RED, GREEN, BLUE, PALE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 240)
SECRET = b"SECRET-PLACE"
"""A text in all metadata of a file. No rendition may have it."""
XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="' + SECRET + b'"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
STORED_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""EXIF orientation → the transposition in which a camera stores an upright picture."""


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    """Red and green above, blue and pale below. It shows rotations, mirrors and swapped colours."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(PALE, (width // 2, height // 2, width, height))
    return image


def colours_of(data: bytes) -> list[tuple[int, ...]]:
    """The mean colour of each quadrant of an encoded picture, in reading order."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        boxes = [
            (left, top, left + width // 2, top + height // 2)
            for top in (0, height // 2)
            for left in (0, width // 2)
        ]
        return [tuple(round(c) for c in ImageStat.Stat(image.crop(b)).mean) for b in boxes]


def looks_right(data: bytes, *, within: int = 14) -> bool:
    """Whether an encoded picture shows `quadrants`, upright and in its colours."""
    pairs = zip(colours_of(data), (RED, GREEN, BLUE, PALE), strict=True)
    return all(
        len(actual) == len(expected)
        and max(abs(a - b) for a, b in zip(actual, expected, strict=True)) <= within
        for actual, expected in pairs
    )


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def jpeg(width: int = 96, height: int = 64, **options: object) -> bytes:
    return encoded(quadrants(width, height), "JPEG", **{"quality": 90, **options})


def photograph(width: int, height: int) -> bytes:
    """A JPEG as of a camera, with grain, GPS, a comment and orientation 6."""
    stored = quadrants(width, height).transpose(STORED_BY[6])
    grain = Image.effect_noise((512, 512), 60).convert("RGB").resize(stored.size)
    return encoded(
        Image.blend(stored, grain, 0.1), "JPEG", quality=88, exif=exif(6), xmp=XMP, comment=SECRET
    )


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF with an orientation, a GPS position and SECRET."""
    data = Image.Exif()
    data[0x010E] = SECRET.decode()
    data[0x0112] = orientation
    data[0x8825] = {1: "N", 2: (47.0, 22.0, 36.84), 3: "E", 4: (8.0, 32.0, 30.12), 28: SECRET}
    return data


def oriented(orientation: int, file_format: str = "JPEG") -> bytes:
    """`quadrants` as a camera stores it in this EXIF orientation."""
    method = STORED_BY.get(orientation)
    image = quadrants() if method is None else quadrants().transpose(method)
    options = {"quality": 90} if file_format != "PNG" else {}
    return encoded(image, file_format, exif=exif(orientation), **options)


def with_metadata(file_format: str) -> bytes:
    """A picture with SECRET in every kind of metadata of the format."""
    options: dict[str, object] = {"exif": exif(), "xmp": XMP, "icc_profile": swapped_profile()}
    if file_format == "JPEG":
        options["comment"] = SECRET
    if file_format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", SECRET.decode(), zip=True)
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options = {"exif": exif(), "pnginfo": info}
    if file_format == "GIF":
        options = {"comment": SECRET}
    return encoded(quadrants(), file_format, **options)


def swapped_profile() -> bytes:
    """An RGB profile that exchanges red and green, with SECRET in its header."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12):
        tag = bytes(profile[at : at + 4])
        profile[at : at + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(tag, tag)
    profile[48 : 48 + 8] = SECRET[:8]  # maker and model of the device
    return bytes(profile)


def in_swapped_colours(file_format: str) -> bytes:
    """`quadrants` stored with red and green exchanged, and the profile that exchanges them back."""
    red, green, blue = quadrants().split()
    swapped = Image.merge("RGB", (green, red, blue))
    options = {"quality": 90} if file_format != "PNG" else {}
    return encoded(swapped, file_format, icc_profile=swapped_profile(), **options)


@functools.cache
def scan_bomb(scans: int) -> bytes:
    """A small progressive JPEG of 39 megapixels with this number of scans of every pixel."""
    data = encoded(Image.new("RGB", (7_200, 5_400), RED), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def cmyk_jpeg() -> bytes:
    return encoded(quadrants().convert("CMYK"), "JPEG", quality=90)


def png(
    width: int,
    height: int,
    rows: bytes,
    *,
    depth: int = 8,
    colour_type: int = 2,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of these raw rows, each with its filter byte, and chunks before and after them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(rows, 9))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + pixels
        + after
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


def rows_of(image: Image.Image, *, deep: bool = False) -> bytes:
    """The rows of an image in the format of PNG; `deep`: with 16 bits a channel."""
    raw = image.tobytes()
    if deep:
        raw = bytes(byte for value in raw for byte in (value, value))
    length = len(raw) // image.height
    return b"".join(b"\0" + raw[at : at + length] for at in range(0, len(raw), length))


def deep_png(mode: str) -> bytes:
    """`quadrants` with 16 bits a channel, in mode L, RGB or RGBA."""
    image = quadrants().convert(mode)
    colour_type = {"L": 0, "RGB": 2, "RGBA": 6}[mode]
    rows = rows_of(image, deep=True)
    return png(image.width, image.height, rows, depth=16, colour_type=colour_type)


def large_png(side: int) -> bytes:
    """A square PNG of one colour: few kB for many pixels."""
    return png(side, side, bytes((side // 8 + 1) * side), depth=1, colour_type=0)


def inflating_png(name: bytes, *, after: bool = False, megabytes: int = 100) -> bytes:
    """A small PNG with a chunk (zTXt, iTXt or iCCP) that inflates to this size."""
    compressed = zlib.compress(bytes(megabytes * 1_000_000), 9)
    head = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"profile\0\0"}[name]
    body = chunk(name, head + compressed)
    image = quadrants()
    return png(
        image.width,
        image.height,
        rows_of(image),
        before=b"" if after else body,
        after=body if after else b"",
    )


def gif(frames: int) -> bytes:
    """A GIF of `quadrants` and frames of one pixel."""
    one = encoded(quadrants(), "GIF")
    pixel = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0"
    return one[:-1] + pixel * (frames - 1) + b";"


def heic() -> bytes:
    return (PICTURES / "turned.heic").read_bytes()


def crashing_heic() -> bytes:
    """A HEIC that crashes the process in pi_heif 1.4.0: decode it in a child only."""
    return heic().replace(b"mime", b"\xafime")


def mangled(data: bytes, seed: int) -> bytes:
    """The data with some bytes changed, deleted or inserted; a PNG with correct checksums."""
    rng = random.Random(seed)
    mangled_data = bytearray(data)
    for _ in range(rng.choice((1, 2, 4, 16))):
        at, length = rng.randrange(len(mangled_data)), rng.randrange(1, 12)
        change = rng.choice(("set", "set", "cut", "add"))
        if change == "set":
            mangled_data[at] = rng.choice((0, 1, 127, 128, 255))
        elif change == "cut":
            del mangled_data[at : at + length]
        else:
            mangled_data[at:at] = rng.randbytes(length)
    return (
        with_checksums(bytes(mangled_data)) if data.startswith(b"\x89PNG") else bytes(mangled_data)
    )


def with_checksums(data: bytes) -> bytes:
    corrected, at = data[:8], 8
    while at + 12 <= len(data) and (length := int.from_bytes(data[at : at + 4])) <= len(data) - at:
        corrected += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return corrected + data[at:]


def resized_header(data: bytes, width: int, height: int) -> bytes:
    """A HEIC whose header has another size than its picture."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def webp_with_canvas(width: int, height: int) -> bytes:
    """A WebP whose canvas has this size and whose picture is tiny."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size
    return b"RIFF" + struct.pack("<I", len(body)) + body
