"""The chunks of a PNG, changed where Pillow is stricter or less exact than browsers. Pure.

Browsers need the chunks IHDR, PLTE, IDAT and IEND, and pass over any other that is damaged. Pillow
refuses the file.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_SIGNATURE_BYTES = 8
_HEADER_BYTES, _CHECKSUM_BYTES = 8, 4
"""Of a chunk: its length and name before the body, its CRC after it."""
_ANCILLARY = 0x20
"""The bit of a name's first letter that is set if a picture can be shown without the chunk."""
_LEAST_BYTES = {b"cHRM": 32, b"eXIf": 1, b"gAMA": 4, b"pHYs": 9, b"sRGB": 1}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
"""Not needed: the picture in IDAT is shown."""
_MOST_PALETTE_ENTRIES = 256
_GREY, _RGB, _PALETTE, _GREY_ALPHA = 0, 2, 3, 4
"""Colour types."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: bytes
    body: bytes
    crc: int

    @property
    def has_right_crc(self) -> bool:
        return zlib.crc32(self.body, zlib.crc32(self.name)) == self.crc


@dataclass(frozen=True, slots=True)
class _PixelFormat:
    depth: int
    colour_type: int


def has_grey_alpha(data: bytes) -> bool:
    """Whether each pixel is a grey and an alpha."""
    return _pixel_format(data).colour_type == _GREY_ALPHA


def readable(data: bytes) -> bytes:
    """The PNG without damaged ancillary chunks and frames, `tRNS` in the values of Pillow's pixels.

    Text and profiles that inflate to very much stay: Pillow refuses them. So does all that follows
    a chunk that is cut: Pillow says that the file is truncated.
    """
    pixel_format = _pixel_format(data)
    parts, at, is_changed = [data[:_SIGNATURE_BYTES]], _SIGNATURE_BYTES, False
    for chunk in _chunks(data):
        end = at + _HEADER_BYTES + len(chunk.body) + _CHECKSUM_BYTES
        part = _readable_chunk(chunk, pixel_format)
        is_changed |= part is not None
        parts.append(data[at:end] if part is None else part)
        at = end
    return b"".join((*parts, data[at:])) if is_changed else data


def _pixel_format(data: bytes) -> _PixelFormat:
    """As the header says, which is the first chunk."""
    return _PixelFormat(*data[24:26]) if len(data) >= 26 else _PixelFormat(0, 0)  # noqa: PLR2004 - its place


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks of the file up to its end, or to one that is cut."""
    at = _SIGNATURE_BYTES
    while at + _HEADER_BYTES <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        body_end = at + _HEADER_BYTES + length
        if body_end + _CHECKSUM_BYTES > len(data):
            return
        body = data[at + _HEADER_BYTES : body_end]
        yield _Chunk(name, body, *struct.unpack_from(">I", data, body_end))
        if name == b"IEND":
            return
        at = body_end + _CHECKSUM_BYTES


def _readable_chunk(chunk: _Chunk, pixel_format: _PixelFormat) -> bytes | None:
    """The bytes to read instead of the chunk, which can be none; None if it stays as it is."""
    if not chunk.name[0] & _ANCILLARY:
        return None
    if chunk.name in _ANIMATION or not chunk.has_right_crc or not _is_well_formed(chunk):
        return b""
    if chunk.name == b"tRNS":
        values = _transparency(chunk.body, pixel_format)
        return None if values and values == chunk.body else _encoded(chunk.name, values)
    return None


def _is_well_formed(chunk: _Chunk) -> bool:
    """Whether Pillow can read the chunk."""
    if chunk.name in {b"iCCP", b"zTXt"}:
        _, separator, compressed = chunk.body.partition(b"\0")
        return bool(separator) and compressed[:1] == b"\0"  # the one method of compression
    return len(chunk.body) >= _LEAST_BYTES.get(chunk.name, 0)


def _transparency(body: bytes, pixel_format: _PixelFormat) -> bytes:
    """The body of `tRNS` in the values of Pillow's pixels; empty if it is malformed.

    Pillow stretches greys of 2 and 4 bits to 8, and keeps the upper half of colours of 16 bits, so
    that colours next to the transparent one count as the same. Bits above the depth mean nothing.
    """
    depth, colour_type = pixel_format.depth, pixel_format.colour_type
    if colour_type == _PALETTE:
        return body if len(body) <= _MOST_PALETTE_ENTRIES else b""
    count = {_GREY: 1, _RGB: 3}.get(colour_type, 0)
    if not count or len(body) < 2 * count:
        return b""
    greatest = (1 << depth) - 1
    values = [value & greatest for value in struct.unpack_from(f">{count}H", body)]
    if colour_type == _RGB and depth == 16:  # noqa: PLR2004 - bits
        values = [value >> 8 for value in values]
    if depth in {2, 4}:
        values = [value * 255 // greatest for value in values]
    return struct.pack(f">{count}H", *values)


def _encoded(name: bytes, body: bytes) -> bytes:
    """A chunk; none if the body is empty."""
    if not body:
        return b""
    crc = zlib.crc32(body, zlib.crc32(name))
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", crc)
