"""HEIC files with crops, turns and mirrors, made of those in tests/support/pictures/."""

import struct
from dataclasses import dataclass

from tests.support.images import PICTURES, heic

_ASSOCIATIONS = bytes.fromhex("058102030485")
"""Of `turned.heic`: five properties, the fifth its turn. A property above 0x80 is essential."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A size, and the distance of its centre from that of the picture, in half pixels."""

    width: int
    height: int
    right: int = 0
    down: int = 0

    def box(self, divisor: int = 1) -> bytes:
        sizes = (self.width * divisor, divisor, self.height * divisor, divisor)
        return struct.pack(">I4s8i", 40, b"clap", *sizes, self.right, 2, self.down, 2)


def turn(times: int) -> bytes:
    """A turn by 90 degrees, anti-clockwise, so many times."""
    return struct.pack(">I4sB", 9, b"irot", times)


def mirror(axis: int) -> bytes:
    return struct.pack(">I4sB", 9, b"imir", axis)


def transformed(*properties: bytes) -> bytes:
    """The picture of `turned.heic`, of 64 by 96 coded pixels, with these transformations alone."""
    data = heic()
    numbers = bytes(0x80 | 6 + place for place in range(len(properties)))
    associations = bytes([4 + len(numbers)]) + _ASSOCIATIONS[1:5] + numbers
    added, longer = len(b"".join(properties)), len(associations) - len(_ASSOCIATIONS)
    end_of_properties = data.index(b"ipma") - 4
    data = data[:end_of_properties] + b"".join(properties) + data[end_of_properties:]
    at = data.index(_ASSOCIATIONS)
    data = data[:at] + associations + data[at + len(_ASSOCIATIONS) :]
    for name, growth in (
        (b"ipco", added),
        (b"ipma", longer),
        (b"iprp", added + longer),
        (b"meta", added + longer),
    ):
        data = _grown(data, name, growth)
    return _with_later_items(data, added + longer)


def large(crop: Crop) -> bytes:
    """40 coded megapixels with this crop: blue to the left of and below (3000, 3000), else red."""
    data = (PICTURES / "forty_megapixels.heic").read_bytes()
    at = data.index(b"clap") - 4
    return data[:at] + crop.box() + data[at + 40 :]


def _grown(data: bytes, name: bytes, growth: int) -> bytes:
    at = data.index(name) - 4
    size = int.from_bytes(data[at : at + 4]) + growth
    return data[:at] + size.to_bytes(4) + data[at + 4 :]


def _with_later_items(data: bytes, growth: int) -> bytes:
    """The file with the places of its items moved, as more bytes come before them."""
    at = data.index(b"iloc") + 10
    items = int.from_bytes(data[at : at + 2])
    moved = bytearray(data)
    for item in range(items):
        place = at + 2 + 18 * item + 10
        struct.pack_into(">I", moved, place, int.from_bytes(data[place : place + 4]) + growth)
    return bytes(moved)


def grid(columns: int, rows: int) -> bytes:
    """A picture of tiles as phones write it, each the coded picture of `turned.heic` (64 by 96)."""
    size, tiles = (64 * columns, 96 * rows), range(2, 2 + columns * rows)
    lead = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    layout = bytes((0, 0, rows - 1, columns - 1)) + struct.pack(">2H", *size)
    layout_at = len(lead) + len(_meta_of_tiles(tiles, size, 0)) + 8
    pixels = _box(b"mdat", layout + _coded_picture())
    return lead + _meta_of_tiles(tiles, size, layout_at) + pixels


def _meta_of_tiles(tiles: range, size: tuple[int, int], layout_at: int) -> bytes:
    """The box that says how item 1 is made of the tiles: its layout, then their pixels, follow."""
    return _full_box(
        b"meta",
        _full_box(b"hdlr", bytes(4) + b"pict" + bytes(13)),
        _full_box(b"pitm", struct.pack(">H", 1)),
        _places_of_tiles(tiles, layout_at),
        _kinds_of_tiles(tiles),
        _full_box(b"iref", _box(b"dimg", struct.pack(">2H", 1, len(tiles)), _numbers(tiles))),
        _properties_of_tiles(tiles, size),
    )


def _places_of_tiles(tiles: range, layout_at: int) -> bytes:
    pixels = (layout_at + 8, len(_coded_picture()))
    places = {1: (layout_at, 8), **dict.fromkeys(tiles, pixels)}
    located = (struct.pack(">3H2I", number, 0, 1, *place) for number, place in places.items())
    return _full_box(b"iloc", struct.pack(">2BH", 0x44, 0, len(places)), *located)


def _kinds_of_tiles(tiles: range) -> bytes:
    kinds = {1: b"grid", **dict.fromkeys(tiles, b"hvc1")}
    entries = (
        _full_box(b"infe", struct.pack(">2H4sx", number, 0, kind), version=2)
        for number, kind in kinds.items()
    )
    return _full_box(b"iinf", struct.pack(">H", len(kinds)), *entries)


def _properties_of_tiles(tiles: range, size: tuple[int, int]) -> bytes:
    """Decoder, colours, size and depth of the tiles; the size of the whole is the fifth."""
    properties = [_box_of(heic(), name) for name in (b"hvcC", b"colr", b"ispe", b"pixi")]
    whole = _full_box(b"ispe", struct.pack(">2I", *size))
    used = {1: (5, 2, 4), **dict.fromkeys(tiles, (0x81, 2, 3, 4))}
    associations = (
        struct.pack(">HB", number, len(those)) + bytes(those) for number, those in used.items()
    )
    return _box(
        b"iprp",
        _box(b"ipco", *properties, whole),
        _full_box(b"ipma", struct.pack(">I", len(used)), *associations),
    )


def _numbers(items: range) -> bytes:
    return struct.pack(f">{len(items)}H", *items)


def _coded_picture() -> bytes:
    """The bytes of the one picture in `turned.heic`."""
    data = heic()
    first_item = data.index(b"iloc") + 12
    *_, base, _, offset, length = struct.unpack_from(">2HIH2I", data, first_item)
    return data[base + offset : base + offset + length]


def _box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def _full_box(name: bytes, *parts: bytes, version: int = 0) -> bytes:
    return _box(name, bytes((version, 0, 0, 0)), *parts)


def _box_of(data: bytes, name: bytes) -> bytes:
    at = data.index(name) - 4
    return data[at : at + int.from_bytes(data[at : at + 4])]
