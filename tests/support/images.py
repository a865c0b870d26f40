"""All the pictures that tests upload: good ones, odd ones and hostile ones, made as needed.

Only the HEIC files are stored, in tests/support/pictures/, as nothing we install can write one.
They were made from `quadrants` by pillow-heif, `turned.heic` with EXIF, GPS, XMP and orientation 6.
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
"""Stands in everything that a file says beside its pixels, so that it must not be found later."""
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
"""Orientation → how a camera held so stores an upright picture."""


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    """Red and green above, blue and pale below: any turn, mirror or swapped colour shows."""
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
    """True where an encoded picture shows `quadrants`, upright and in its colours."""
    pairs = zip(colours_of(data), (RED, GREEN, BLUE, PALE), strict=True)
    return all(
        len(seen) == len(meant)
        and max(abs(a - b) for a, b in zip(seen, meant, strict=True)) <= within
        for seen, meant in pairs
    )


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def jpeg(width: int = 96, height: int = 64, **options: object) -> bytes:
    return encoded(quadrants(width, height), "JPEG", **{"quality": 90, **options})


def photograph(width: int, height: int) -> bytes:
    """A JPEG as large as a camera's, with grain, GPS, a comment and orientation 6."""
    stored = quadrants(width, height).transpose(STORED_BY[6])
    grain = Image.effect_noise((512, 512), 60).convert("RGB").resize(stored.size)
    return encoded(
        Image.blend(stored, grain, 0.1), "JPEG", quality=88, exif=exif(6), xmp=XMP, comment=SECRET
    )


def exif(orientation: int = 1) -> Image.Exif:
    """EXIF with an orientation and with the place where the photo was taken."""
    data = Image.Exif()
    data[0x010E] = SECRET.decode()
    data[0x0112] = orientation
    data[0x8825] = {1: "N", 2: (47.0, 22.0, 36.84), 3: "E", 4: (8.0, 32.0, 30.12), 28: SECRET}
    return data


def turned(orientation: int, file_format: str = "JPEG") -> bytes:
    """`quadrants` as a camera stores it that is held so, and says so in its EXIF."""
    method = STORED_BY.get(orientation)
    image = quadrants() if method is None else quadrants().transpose(method)
    options = {"quality": 90} if file_format != "PNG" else {}
    return encoded(image, file_format, exif=exif(orientation), **options)


def telling(file_format: str) -> bytes:
    """A picture whose file says the place wherever that format has room for words."""
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
    """An RGB profile in which red and green have changed places, and which names the place."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12):
        tag = bytes(profile[at : at + 4])
        profile[at : at + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(tag, tag)
    profile[48 : 48 + 8] = SECRET[:8]  # maker and model of the device
    return bytes(profile)


def in_swapped_colours(file_format: str) -> bytes:
    """`quadrants` stored with red and green exchanged, and the profile that says so."""
    red, green, blue = quadrants().split()
    swapped = Image.merge("RGB", (green, red, blue))
    options = {"quality": 90} if file_format != "PNG" else {}
    return encoded(swapped, file_format, icc_profile=swapped_profile(), **options)


@functools.cache
def scan_bomb(scans: int) -> bytes:
    """A small progressive JPEG of 39 megapixels that refines every pixel so many times."""
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
    """A PNG of these raw rows (each with its filter byte), with chunks before and after them."""
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
    """An image's rows as a PNG has them; `deep` with 16 bits a channel."""
    raw = image.tobytes()
    if deep:
        raw = bytes(byte for value in raw for byte in (value, value))
    length = len(raw) // image.height
    return b"".join(b"\0" + raw[at : at + length] for at in range(0, len(raw), length))


def deep_png(mode: str) -> bytes:
    """`quadrants` with 16 bits a channel: mode L, RGB or RGBA."""
    image = quadrants().convert(mode)
    colour_type = {"L": 0, "RGB": 2, "RGBA": 6}[mode]
    rows = rows_of(image, deep=True)
    return png(image.width, image.height, rows, depth=16, colour_type=colour_type)


def bomb(side: int) -> bytes:
    """A PNG of that side in few kB, all of one colour."""
    return png(side, side, bytes((side // 8 + 1) * side), depth=1, colour_type=0)


def inflating(name: bytes, *, after: bool = False, megabytes: int = 100) -> bytes:
    """A small PNG with a chunk (zTXt, iTXt or iCCP) that inflates to so much."""
    squeezed = zlib.compress(bytes(megabytes * 1_000_000), 9)
    head = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0", b"iCCP": b"profile\0\0"}[name]
    body = chunk(name, head + squeezed)
    image = quadrants()
    return png(
        image.width,
        image.height,
        rows_of(image),
        before=b"" if after else body,
        after=body if after else b"",
    )


def gif_of(frames: int) -> bytes:
    """`quadrants`, then so many frames of one pixel."""
    one = encoded(quadrants(), "GIF")
    pixel = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0"
    return one[:-1] + pixel * (frames - 1) + b";"


def heic() -> bytes:
    return (PICTURES / "turned.heic").read_bytes()


def crashing() -> bytes:
    """A HEIC that makes pi_heif 1.4.0 read through a null pointer: never decode it in process."""
    return heic().replace(b"mime", b"\xafime")


def mangled(data: bytes, seed: int) -> bytes:
    """These bytes with a few of them changed, lost or added; a PNG's checksums are put right."""
    draw = random.Random(seed)
    bent = bytearray(data)
    for _ in range(draw.choice((1, 2, 4, 16))):
        at, length = draw.randrange(len(bent)), draw.randrange(1, 12)
        change = draw.choice(("set", "set", "cut", "add"))
        if change == "set":
            bent[at] = draw.choice((0, 1, 127, 128, 255))
        elif change == "cut":
            del bent[at : at + length]
        else:
            bent[at:at] = draw.randbytes(length)
    return _with_checksums(bytes(bent)) if data.startswith(b"\x89PNG") else bytes(bent)


def _with_checksums(data: bytes) -> bytes:
    mended, at = data[:8], 8
    while at + 12 <= len(data) and (length := int.from_bytes(data[at : at + 4])) <= len(data) - at:
        mended += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return mended + data[at:]


def resized_header(data: bytes, width: int, height: int) -> bytes:
    """A HEIC whose header claims another size than its picture has."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def webp_canvas(width: int, height: int) -> bytes:
    """A WebP that claims such a canvas and holds next to nothing."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size
    return b"RIFF" + struct.pack("<I", len(body)) + body
